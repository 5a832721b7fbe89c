"""The user says no: the error's three members are the result, and nothing is redeemed."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra

PROVIDER = [*entra(), authorize(code=None, error="access_denied", error_description="AADSTS65004", error_uri="https://e.example", more="x")]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1", response_mode="form_post")
    step(app.acquire_token_by_auth_code_flow, flow, step.authorize(flow["auth_uri"]))
