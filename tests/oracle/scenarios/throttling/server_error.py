"""A 5xx is an exception, and for a minute a local one."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("server_error", status=503)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account)
    step(app.acquire_token_silent_with_error, ["Other"], account)
