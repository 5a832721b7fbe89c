"""A refresh token from an older store is taken over, and serves from then on."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_by_refresh_token, "OLDRT", ["User.Read"], trace="by refresh token (migration)")
    [account] = step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account)
