"""The time of refresh_in has come: a new token is fetched although the old one is good."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(refresh_in=0), refreshed(refresh_in=1800)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, trace="silent: aging AT, refresh ok")
    step(app.acquire_token_silent, ["User.Read"], account)
