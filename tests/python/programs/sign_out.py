"""Signs everybody out."""

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])
for account in app.get_accounts():
    app.remove_account(account)
show(left=len(app.get_accounts()))
