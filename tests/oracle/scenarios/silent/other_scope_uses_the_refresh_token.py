"""Refresh tokens are not bound to scopes: another resource needs no sign-in."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed("RT", scope="Files.Read openid profile")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["Files.Read"], account)
    step(app.acquire_token_silent, ["Files.Read"], account)
    step(app.acquire_token_silent, ["User.Read"], account)
