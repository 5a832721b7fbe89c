"""Signs in with the browser of this desktop."""

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

result = app.acquire_token_interactive(config["scopes"], login_hint=config.get("username"))
if "access_token" in result:
    show(access_token=result["access_token"], username=result["id_token_claims"]["preferred_username"])
else:
    show(error=result["error"], error_description=result.get("error_description"))
