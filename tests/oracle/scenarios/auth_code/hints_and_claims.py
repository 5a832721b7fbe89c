"""Every optional parameter of the authorization request, and the claims again at redemption."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, client_capabilities=["CP1", "llt"])
    flow = step(
        app.initiate_auth_code_flow, ["User.Read"], redirect_uri="http://localhost:1", response_mode="form_post", prompt="select_account",
        login_hint="alice+test@contoso.example", domain_hint="contoso.example", claims_challenge='{"id_token":{"acr":{"essential":true}}}')
    step(app.acquire_token_by_auth_code_flow, flow, step.authorize(flow["auth_uri"]))
