"""A challenge in the error is handed on, for the interactive request that follows."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

ERROR = {"suberror": "consent_required", "claims": '{"access_token":{"capolids":{"essential":true}}}', "correlation_id": "c"}
PROVIDER = [*entra(), *signs_in(), refresh_refused("interaction_required", **ERROR)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account)
