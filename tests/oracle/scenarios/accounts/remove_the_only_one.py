"""After sign-out there is no account and no token, refreshed or cached."""

from oracle.provider import entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step)
    step(app.remove_account, account)
    step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
