"""The page leads nowhere, and the wait ends (long after the browser has loaded it, on a busy machine too)."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply

PROVIDER = [*entra(), Rule("/authorize", reply("<h1>closed</h1>"), method="GET")]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.acquire_token_interactive, ["User.Read"], timeout=8)
