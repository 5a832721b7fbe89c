"""The provider is down while the token at hand is good for a while."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(refresh_in=0), refresh_refused("server_error", status=503)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: aging AT, 503 -> RAISES (regression in reference)")
    step.await_refresh()
