"""A B2C policy is part of the authority; the tenant is the realm, and no aliases are looked up."""

from oracle.provider import discovery
from oracle.sign_in import sign_in, signs_in

HOST, POLICY = "contoso.b2clogin.com", "contoso.onmicrosoft.com/B2C_1_signin"
BASE = f"https://{HOST}/{POLICY}/oauth2/v2.0"
CONFIGURATION = {
    "issuer": f"https://{HOST}/GUID/v2.0/", "authorization_endpoint": f"{BASE}/authorize", "token_endpoint": f"{BASE}/token",
    "device_authorization_endpoint": f"{BASE}/devicecode"}
PROVIDER = [discovery(f"/{POLICY}/v2.0/.well-known/openid-configuration", CONFIGURATION, HOST), *signs_in()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, authority=f"https://{HOST}/{POLICY}")
    step(app.acquire_token_silent, ["User.Read"], account)
    step(app.remove_account, account)
    step(app.get_accounts)
