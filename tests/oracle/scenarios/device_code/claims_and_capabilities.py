"""A claims challenge goes out with the capabilities merged into it, when the flow begins and when it is redeemed."""

from oracle.provider import AUTHORITY, CLIENT_ID, device_code, entra, tokens

PROVIDER = [*entra(), device_code(), tokens()]
CHALLENGE = '{"access_token":{"x":null}}'


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY, client_capabilities=["CP1"])
    flow = step(app.initiate_device_flow, scopes=["User.Read"], claims_challenge=CHALLENGE,
                trace="device: initiate, claims+capabilities")
    step(app.acquire_token_by_device_flow, flow, claims_challenge=CHALLENGE)
