"""Tokens that came through login.windows.net serve an application on login.microsoftonline.com."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *entra(host="login.windows.net"), *signs_in()]


def run_scenario(msal, step):
    _, account = sign_in(msal, step, authority="https://login.windows.net/TENANT", **step.shared_cache)
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, **step.shared_cache)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: AT under alias environment")
