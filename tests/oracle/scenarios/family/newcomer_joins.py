"""An application that was never used tries the family's refresh token, and is of the family."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(refresh_token="FRT", foci="1"), refreshed("FRT", rotates_to="FRT2", foci="1"), refreshed("FRT2", gives="AT3")]


def run_scenario(msal, step):
    _, account = sign_in(msal, step, client_id="FAMILY", **step.shared_cache)
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, **step.shared_cache)
    step(app.acquire_token_silent, ["Files.Read"], account, trace="silent: FOCI unknown app joins family")
    step(app.acquire_token_silent, ["Third"], account)
