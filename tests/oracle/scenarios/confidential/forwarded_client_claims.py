"""Claims of the caller's own client are part of the request, and of the cache's key."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_for_client, ["api/.default"], forwarded_client_claims='{"access_token":{"z":1}}',
         trace="client credentials forwarded_client_claims")
    step(app.acquire_token_for_client, ["api/.default"], forwarded_client_claims="not json")
