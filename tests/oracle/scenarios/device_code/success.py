"""The user has signed in by the time of the first poll."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, tokens

PROVIDER = [*entra(), device_code(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"], trace="device: initiate")
    step(app.acquire_token_by_device_flow, flow)
