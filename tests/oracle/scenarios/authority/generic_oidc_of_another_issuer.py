"""A configuration that names somebody else as its issuer is refused."""

from oracle.provider import CLIENT_ID, discovery

CONFIGURATION = {
    "issuer": "https://attacker.example", "authorization_endpoint": "https://id.example.org/realm/auth",
    "token_endpoint": "https://id.example.org/realm/token", "device_authorization_endpoint": "https://id.example.org/realm/devicecode"}
PROVIDER = [discovery("/realm/.well-known/openid-configuration", CONFIGURATION)]


def run_scenario(msal, step):
    step(lambda: msal.PublicClientApplication(
        CLIENT_ID, oidc_authority="https://id.example.org/realm").initiate_device_flow(scopes=["User.Read"]))
