"""Without an account there is nothing to look for, and nothing is sent."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra

PROVIDER = entra()


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_silent, ["User.Read"], account=None)
    step(app.acquire_token_silent, "User.Read", {"home_account_id": "UID.UTID", "environment": "e"})
