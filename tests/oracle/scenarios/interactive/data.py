"""Form fields of the application's own go with the code, and not to the page."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(), tokens(token_type="ssh-cert")]
KEY = {"token_type": "ssh-cert", "req_cnf": "jwk", "key_id": "k"}


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"], data={"token_type": "ssh-cert"})
    step(app.acquire_token_interactive, ["User.Read"], data=KEY)
    [account] = step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account, data=KEY)
