"""The application names itself in two headers."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, app_name="editor", app_version="1.2.3")
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
