"""A suberror about the token itself is nothing for the user: the classification is empty."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("invalid_grant", suberror="bad_token")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account, trace="silent_with_error: suberror bad_token suppressed")
