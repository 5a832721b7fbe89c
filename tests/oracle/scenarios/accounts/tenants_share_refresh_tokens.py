"""The same client on another tenant has no access token there, but may use the refresh token."""

from oracle.provider import CLIENT_ID, HOST, entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *entra(tenant="OTHER"), *signs_in(), refreshed()]


def run_scenario(msal, step):
    _, account = sign_in(msal, step, **step.shared_cache)
    other = step(msal.PublicClientApplication, CLIENT_ID, authority=f"https://{HOST}/OTHER", **step.shared_cache)
    step(other.acquire_token_silent, ["User.Read"], account)
