"""openid, profile and offline_access are added by the library and refused from the application."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra

PROVIDER = entra()


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.initiate_auth_code_flow, ["User.Read", "offline_access"], redirect_uri="http://localhost:1", response_mode="form_post")
    step(app.initiate_auth_code_flow, "User.Read", redirect_uri="http://localhost:1", response_mode="form_post")
