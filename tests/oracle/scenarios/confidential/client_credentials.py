"""A token for the application itself: fetched once, then from the cache."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_for_client, ["api/.default"], trace="client credentials secret")
    step(app.acquire_token_for_client, ["api/.default"])
