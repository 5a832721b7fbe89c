"""The code was used before: the provider's error is the result, whole."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, refused

ERROR = {"error_description": "AADSTS54005", "error_codes": [54005], "timestamp": "t", "trace_id": "x", "suberror": "message_only"}
PROVIDER = [*entra(), authorize(), refused("invalid_grant", **ERROR)]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1", response_mode="form_post")
    step(app.acquire_token_by_auth_code_flow, flow, step.authorize(flow["auth_uri"]))
    step(app.get_accounts)
