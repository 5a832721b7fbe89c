"""Discovery is down."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, reply

PROVIDER = [Rule("/openid-configuration", reply({}, status=503), method="GET")]


def run_scenario(msal, step):
    step(lambda: msal.PublicClientApplication(CLIENT_ID, authority=AUTHORITY).initiate_device_flow(scopes=["User.Read"]))
