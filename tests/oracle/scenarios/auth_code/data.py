"""Form fields of the application's own go with the code."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    flow = step(app.initiate_auth_code_flow, ["User.Read"], redirect_uri="https://app.example/back", response_mode="form_post")
    response = step.authorize(flow["auth_uri"])
    step(app.acquire_token_by_auth_code_flow, flow, response, data={"client_session": "s"})
    [account] = step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account, data={"client_session": "s"})
