"""Extra scopes are consented to in the browser and are not part of the redemption."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"], prompt="consent", login_hint="alice@contoso.example",
         domain_hint="contoso.example", extra_scopes_to_consent=["Mail.Read"])
