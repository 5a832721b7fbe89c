"""429 with Retry-After: the same request is not sent again; one for other scopes is."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("temporarily_unavailable", status=429, headers={"Retry-After": "120"})]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account)
    step(app.acquire_token_silent_with_error, ["Other"], account)
    step(app.acquire_token_silent_with_error, ["Third"], account)
