"""The user cancels in the browser."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra

PROVIDER = [*entra(), authorize(code=None, error="access_denied", error_description="AADSTS65004")]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"])
