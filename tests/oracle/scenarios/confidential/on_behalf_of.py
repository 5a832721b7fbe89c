"""A service passes its caller on to the next service."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens(scope="api/.default offline_access openid profile")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_on_behalf_of, "INCOMING", ["api/.default"], trace="OBO")
