"""A failure and two cache hits are told with the next request, and forgotten after its success."""

from oracle.provider import entra, refresh_refused, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("invalid_grant", suberror="basic_action", times=1), refreshed("RT", rotates_to=None)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["Other"], account)
    step(app.acquire_token_silent, ["User.Read"], account)
    step(app.acquire_token_silent, ["User.Read"], account)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
    step(app.acquire_token_silent, ["Third"], account)
