"""Lists who has signed in."""

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])
show(usernames=sorted(account["username"] for account in app.get_accounts()))
