"""The page for a code that is redeemed without a flow: with the application's own state and nonce, and no half of PKCE."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra

PROVIDER = [*entra()]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET", client_capabilities=["CP1"])
    step(app.get_authorization_request_url, ["User.Read"], state="mine", redirect_uri="https://app/cb")
    step(app.get_authorization_request_url, ["User.Read"], nonce="mine", login_hint="u@c.com", domain_hint="c.com",
         prompt="login", claims_challenge='{"access_token":{"x":null}}')
    step(app.get_authorization_request_url, ["User.Read"], response_type="id_token", redirect_uri="https://app/cb")
