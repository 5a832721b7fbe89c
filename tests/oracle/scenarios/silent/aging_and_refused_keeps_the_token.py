"""The refresh is refused, but the token at hand is good for a while."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(refresh_in=0), refresh_refused("invalid_grant")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: aging AT, 400 -> old AT")
    step.await_refresh()
