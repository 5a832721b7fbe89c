"""An assertion from elsewhere in place of a secret."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential={"client_assertion": "JWT"})
    step(app.acquire_token_for_client, ["api/.default"], trace="client credentials static assertion")
