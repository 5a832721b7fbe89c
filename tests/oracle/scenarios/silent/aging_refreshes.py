"""The time of refresh_in has come: a new token is fetched although the old one is good."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [
    *entra(), *signs_in(refresh_in=0), refreshed(refresh_in=1800), refreshed("RT2", gives="AT3", rotates_to=None, scope="Other openid")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: aging AT, refresh ok")
    step.await_refresh()
    # This one waits for the refresh token of the other, however that was sent.
    step(app.acquire_token_silent, ["Other"], account)
    step(app.acquire_token_silent, ["User.Read"], account)
