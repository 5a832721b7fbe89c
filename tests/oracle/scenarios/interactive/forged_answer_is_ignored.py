"""A form with a wrong state reaches the listener first; the listener refuses it and waits for the true one."""

from oracle.provider import AUTHORITY, CLIENT_ID, authorize, entra, tokens

PROVIDER = [*entra(), authorize(forge_state_first=True), tokens()]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"])
