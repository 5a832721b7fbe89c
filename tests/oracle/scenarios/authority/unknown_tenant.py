"""The provider has no such tenant. Whether opening the application or its first use tells, it is a ValueError."""

from oracle.provider import CLIENT_ID, HOST, Rule, reply

PROVIDER = [Rule("/openid-configuration", reply({"error": "invalid_tenant"}, status=400), method="GET")]


def run_scenario(msal, step):
    step(lambda: msal.PublicClientApplication(CLIENT_ID, authority=f"https://{HOST}/NONE").initiate_device_flow(scopes=["User.Read"]))
