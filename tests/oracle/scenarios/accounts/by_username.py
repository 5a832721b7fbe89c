"""Two users; a user name is matched without regard to case."""

from oracle.provider import BOB, entra
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), *signs_in(user=BOB, access_token="AT-BOB", refresh_token="RT-BOB")]


def run_scenario(msal, step):
    app, _ = sign_in(msal, step)
    step(app.acquire_token_by_device_flow, step(app.initiate_device_flow, scopes=["User.Read"]))
    step(app.get_accounts)
    [bob] = step(app.get_accounts, username="BOB@contoso.example")
    step(app.get_accounts, username="carol@contoso.example")
    step(app.acquire_token_silent, ["User.Read"], bob)
