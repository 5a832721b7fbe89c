"""RFC 8628 section 3.5: slow_down adds five seconds to the interval and the polling goes on."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, poll_refused, tokens

PROVIDER = [*entra(), device_code(), poll_refused("slow_down", times=1), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    flow = step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.acquire_token_by_device_flow, flow)
