"""Signs in with a name and a password at the first round, and finds the account by its name at the second."""

import msal
from common import settings, use

config = settings()
cache = msal.TokenCache()
app = msal.PublicClientApplication(
    config["client_id"], client_credential=config.get("client_secret"), token_cache=cache, **config["application"]
)

for _ in range(2):
    result = None
    accounts = app.get_accounts(username=config["username"])
    if accounts:
        result = app.acquire_token_silent(config["scopes"], account=accounts[0])
    if not result:
        result = app.acquire_token_by_username_password(
            config["username"], config["password"], scopes=config["scopes"]
        )
    use(result, config["endpoint"])
