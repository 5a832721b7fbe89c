"""The plain method tells a refusal only as None."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("invalid_grant")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["Other"], account)
