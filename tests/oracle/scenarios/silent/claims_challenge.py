"""A challenge from an API goes to the provider byte for byte, past the cached token."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, claims_challenge='{"access_token":{"x":null}}', trace="silent: claims_challenge")
