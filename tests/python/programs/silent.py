"""Asks for a token as a job without a terminal does: from the cache, or by a refresh, or not at all."""

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

accounts = app.get_accounts(username=config.get("username"))
result = None
if accounts:
    result = app.acquire_token_silent(config["scopes"], accounts[0], force_refresh=config.get("force_refresh", False))
if result:
    show(access_token=result["access_token"], expires_in=result["expires_in"], token_source=result["token_source"])
else:
    show(access_token=None)
