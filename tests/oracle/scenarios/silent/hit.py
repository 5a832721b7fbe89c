"""A fresh token is answered from the cache, for the scopes asked and for fewer."""

from oracle.provider import entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(scope="User.Read Mail.Read openid profile")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: cache hit")
    step(app.acquire_token_silent_with_error, ["Mail.Read", "User.Read"], account)
