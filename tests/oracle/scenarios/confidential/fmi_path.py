"""Tokens for different paths of one application are kept apart."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_for_client, ["api/.default"], fmi_path="a/b", trace="client credentials fmi_path")
    step(app.acquire_token_for_client, ["api/.default"], fmi_path="a/b")
    step(app.acquire_token_for_client, ["api/.default"], fmi_path="a/c")
    step(app.acquire_token_for_client, ["api/.default"])
