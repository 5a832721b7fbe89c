"""An application that polls by itself: exit_condition ends the wait, and the pending error is the result."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, poll_refused, tokens

PROVIDER = [
    *entra(), device_code(), poll_refused("authorization_pending", times=1, error_description="AADSTS70016"), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.acquire_token_by_device_flow, flow, exit_condition=lambda flow: True,
         trace="device: poll pending once (exit_condition true)")
    step(app.acquire_token_by_device_flow, flow, exit_condition=lambda flow: True)
