"""The three steps of MSAL's overview: create the application, look for a token, else acquire one."""

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

result = None
accounts = app.get_accounts()
if accounts:
    # A real one would let the person choose.
    chosen = accounts[0]
    result = app.acquire_token_silent(config["scopes"], account=chosen)
if not result:
    result = app.acquire_token_interactive(scopes=config["scopes"])

if "access_token" in result:
    show(access_token=result["access_token"])
else:
    show(
        error=result.get("error"),
        error_description=result.get("error_description"),
        correlation_id=result.get("correlation_id"),
    )
