"""Two polls are pending; they carry the correlation id of the flow."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, poll_refused, tokens

PROVIDER = [*entra(), device_code(), poll_refused("authorization_pending", times=2), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.acquire_token_by_device_flow, flow)
    step(app.get_accounts)
