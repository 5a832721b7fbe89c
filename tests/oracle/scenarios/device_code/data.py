"""Form fields of the application's own go with the polls, and the token is found again for them alone."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, poll_refused, refreshed, tokens

PROVIDER = [*entra(), device_code(), poll_refused("authorization_pending", times=1), refreshed(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.acquire_token_by_device_flow, flow, data={"client_session": "s", "empty": ""})
    [account] = step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account, data={"client_session": "s"})
    step(app.acquire_token_silent, ["User.Read"], account)
