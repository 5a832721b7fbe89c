"""A daemon that proves itself by a secret: it asks before each round, and the cache answers the second."""

import msal
from common import settings, use

config = settings()
cache = msal.TokenCache()
app = msal.ConfidentialClientApplication(
    config["client_id"], client_credential=config["secret"], token_cache=cache, **config["application"]
)

for _ in range(2):
    use(app.acquire_token_for_client(scopes=config["scopes"]), config["endpoint"])
