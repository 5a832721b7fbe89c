"""An account that this cache does not know."""

from oracle.provider import AUTHORITY, CLIENT_ID, HOST, entra

PROVIDER = entra()
STRANGER = {"home_account_id": "UID.UTID", "environment": HOST, "username": "alice@contoso.example"}


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_silent, ["User.Read"], STRANGER, trace="silent: nothing in cache")
    step(app.acquire_token_silent_with_error, ["User.Read"], STRANGER)
