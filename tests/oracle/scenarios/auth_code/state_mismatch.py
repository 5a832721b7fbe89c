"""An answer to somebody else's request is refused before anything is sent."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1", response_mode="form_post")
    step(app.acquire_token_by_auth_code_flow, flow, {**step.authorize(flow["auth_uri"]), "state": "forged"})
