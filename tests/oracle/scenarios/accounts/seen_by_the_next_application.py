"""A second application object of the same client finds account and token."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in()]


def run_scenario(msal, step):
    sign_in(msal, step, **step.shared_cache)
    again = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, **step.shared_cache)
    [account] = step(again.get_accounts)
    step(again.acquire_token_silent, ["User.Read"], account)
