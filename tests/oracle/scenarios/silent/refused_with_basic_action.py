"""A suberror that the user can act on is passed on as the classification."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

ERROR = {"suberror": "basic_action", "error_description": "AADSTS50076", "error_codes": [50076]}
PROVIDER = [*entra(), *signs_in(), refresh_refused("invalid_grant", **ERROR)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account, trace="silent_with_error: invalid_grant basic_action")
