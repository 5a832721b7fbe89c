"""Any OpenID provider: no client_info, so that the subject identifies the account."""

from oracle.provider import discovery, refreshed
from oracle.sign_in import sign_in, signs_in

ISSUER = "https://id.example.org/realm"
CONFIGURATION = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/protocol/auth", "token_endpoint": f"{ISSUER}/protocol/token",
    "device_authorization_endpoint": f"{ISSUER}/protocol/devicecode"}
PROVIDER = [
    discovery("/realm/.well-known/openid-configuration", CONFIGURATION),
    *signs_in(client_info=None, issuer=ISSUER), refreshed(client_info=None, issuer=ISSUER)]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, authority=None, oidc_authority=ISSUER)
    step(app.acquire_token_silent, ["User.Read"], account)
    step(app.acquire_token_silent, ["User.Read"], account, force_refresh=True)
    step(app.remove_account, account)
    step(app.get_accounts)
