"""The user refuses on the other device."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, poll_refused

PROVIDER = [*entra(), device_code(), poll_refused("authorization_pending", times=1), poll_refused("authorization_declined")]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.acquire_token_by_device_flow, flow)
