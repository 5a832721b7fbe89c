"""User name and password: the user's realm is asked for first."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply, tokens

PROVIDER = [*entra(), Rule("/common/userrealm/u@c.com", reply({"account_type": "Managed"}), method="GET"), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_by_username_password, "u@c.com", "pw", ["User.Read"], trace="ROPC managed")
