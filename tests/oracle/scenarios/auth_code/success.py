"""Both legs with PKCE; the answer's client_info becomes the routing hint of the second."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1", response_mode="form_post")
    response = step.authorize(flow["auth_uri"])
    step(app.acquire_token_by_auth_code_flow, flow, response, trace="auth code flow (second leg)")
    step(app.get_accounts)
