"""A challenge passes over the cached token, capabilities merged into it."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET", client_capabilities=["CP1"])
    step(app.acquire_token_for_client, ["api/.default"], claims_challenge='{"access_token":{"x":null}}',
         trace="client credentials + capabilities + claims")
