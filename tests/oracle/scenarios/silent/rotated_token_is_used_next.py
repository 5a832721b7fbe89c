"""Each refresh gives a new refresh token, and the next one uses that."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [
    *entra(), *signs_in(), refreshed("RT", gives="AT2", rotates_to="RT2"), refreshed("RT2", gives="AT3", rotates_to="RT3")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
