"""A provider that does not rotate sends no refresh token; the old one stays in use."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed("RT", rotates_to=None)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
