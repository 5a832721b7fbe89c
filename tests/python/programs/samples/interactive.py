"""Signs in with the browser at the first round, and finds the account by its name at the second."""

import msal
from common import settings, use

config = settings()
cache = msal.TokenCache()
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

for _ in range(2):
    result = None
    accounts = app.get_accounts(username=config.get("username"))
    if accounts:
        result = app.acquire_token_silent(config["scopes"], account=accounts[0])
    if not result:
        result = app.acquire_token_interactive(config["scopes"], login_hint=config.get("username"))
    use(result, config["endpoint"])
