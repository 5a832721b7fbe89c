"""Instance discovery does not know the host: no token request may go there."""

from oracle.provider import CLIENT_ID, Rule, reply

PROVIDER = [Rule("/common/discovery/instance", reply({"error": "invalid_instance"}, status=400), method="GET")]


def run_scenario(msal, step):
    step(lambda: msal.PublicClientApplication(CLIENT_ID, authority="https://login.evil.example/TENANT").initiate_device_flow(scopes=["S"]))
