"""The provider says that the application is not of the family: a plain miss."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [
    *entra(), *signs_in(refresh_token="FRT", foci="1"),
    refresh_refused("invalid_grant", error_additional_info=["client_mismatch"])]


def run_scenario(msal, step):
    _, account = sign_in(msal, step, client_id="FAMILY", **step.shared_cache)
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, **step.shared_cache)
    step(app.acquire_token_silent, ["Files.Read"], account, trace="silent: FOCI unknown app client_mismatch")
