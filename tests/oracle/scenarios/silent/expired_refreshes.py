"""Under five minutes of life count as none."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(expires_in=200), refreshed()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: expired AT -> RT")
    step(app.acquire_token_silent, ["User.Read"], account)
