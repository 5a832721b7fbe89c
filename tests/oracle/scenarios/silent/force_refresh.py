"""The cached token is passed over, and the reason is told to the provider."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True, trace="silent: force_refresh")
    step(app.acquire_token_silent, ["User.Read"], account)
