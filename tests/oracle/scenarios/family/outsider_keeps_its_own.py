"""Two applications that are strangers to each other do not use each other's refresh tokens."""

from oracle.provider import AUTHORITY, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in()]


def run_scenario(msal, step):
    _, account = sign_in(msal, step, **step.shared_cache)
    other = step(msal.PublicClientApplication, "OTHER", authority=AUTHORITY, **step.shared_cache)
    step(other.get_accounts)
    step(other.acquire_token_silent, ["User.Read"], account)
