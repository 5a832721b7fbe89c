"""What was refused with 400 is not asked again for a minute."""

from oracle.provider import entra, refresh_refused
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refresh_refused("invalid_grant", error_description="AADSTS700082")]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.acquire_token_silent_with_error, ["Other"], account)
    step(app.acquire_token_silent_with_error, ["Other"], account)
