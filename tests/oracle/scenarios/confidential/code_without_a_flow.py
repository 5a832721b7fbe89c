"""The older method: the application made the URL and kept the state itself."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens()]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_by_authorization_code, "C", ["User.Read"], redirect_uri="https://app/cb", trace="auth code (legacy method)")
