"""Instance discovery vouches for the host and says where its configuration is."""

from oracle.provider import CLIENT_ID, HOST, Rule, device_code, entra, reply, tokens

ELSEWHERE = "login.private.example"
WHERE = f"https://{ELSEWHERE}/TENANT/v2.0/.well-known/openid-configuration"
PROVIDER = [
    Rule("/common/discovery/instance", reply({"tenant_discovery_endpoint": WHERE, "metadata": []}), method="GET", host=HOST),
    *entra(host=ELSEWHERE), device_code(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=f"https://{ELSEWHERE}/TENANT")
    step(app.acquire_token_by_device_flow, step(app.initiate_device_flow, scopes=["User.Read"]))
    step(app.get_accounts)
