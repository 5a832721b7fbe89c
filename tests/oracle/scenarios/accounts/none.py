"""Nobody has signed in."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra

PROVIDER = entra()


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.get_accounts, trace="get_accounts empty cache -> alias discovery")
    step(app.get_accounts, username="alice@contoso.example")
