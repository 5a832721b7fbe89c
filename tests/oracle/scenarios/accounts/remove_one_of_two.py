"""Signing one user out leaves the other."""

from oracle.provider import BOB, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), *signs_in(user=BOB, access_token="AT-BOB", refresh_token="RT-BOB")]


def run_scenario(msal, step):
    app, alice = sign_in(msal, step)
    step(app.acquire_token_by_device_flow, step(app.initiate_device_flow, scopes=["User.Read"]))
    step(app.remove_account, alice)
    [bob] = step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], bob)
    step(app.acquire_token_silent_with_error, ["User.Read"], alice)
