"""ADFS has neither realms nor a version in its paths."""

from oracle.provider import CLIENT_ID, Rule, discovery, tokens

BASE = "https://fs.contoso.com/adfs"
CONFIGURATION = {"issuer": BASE, "authorization_endpoint": f"{BASE}/oauth2/authorize/", "token_endpoint": f"{BASE}/oauth2/token/"}
PROVIDER = [
    discovery("/adfs/.well-known/openid-configuration", CONFIGURATION, "fs.contoso.com"),
    Rule("/adfs/oauth2/token/", tokens().answer)]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=BASE)
    step(app.acquire_token_by_username_password, "u@c.com", "pw", ["User.Read"], trace="ROPC ADFS authority (no user realm)")
