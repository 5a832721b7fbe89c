"""Signed in once, the next request needs neither browser nor provider."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"])
    [account] = step(app.get_accounts, username="alice@contoso.example")
    step(app.acquire_token_silent, ["User.Read"], account)
