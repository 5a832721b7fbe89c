"""An application that wants no refresh token leaves offline_access out."""

from oracle.provider import CLIENT_ID, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(refresh_token=None, expires_in=200)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, exclude_scopes=["offline_access"])
    step(app.acquire_token_silent_with_error, ["User.Read"], account)
    step(msal.PublicClientApplication, CLIENT_ID, exclude_scopes=["openid"])
    step(msal.PublicClientApplication, CLIENT_ID, exclude_scopes="offline_access")
