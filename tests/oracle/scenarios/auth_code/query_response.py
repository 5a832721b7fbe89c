"""Without response_mode the answer comes in the redirect's query."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(session_state="S"), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1/cb", state="chosen by the application")
    step(app.acquire_token_by_auth_code_flow, flow, step.authorize(flow["auth_uri"]))
