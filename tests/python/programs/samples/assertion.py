"""A daemon that proves itself by an assertion which something else has signed."""

import msal
from common import settings, use

config = settings()
cache = msal.TokenCache()
app = msal.ConfidentialClientApplication(
    config["client_id"],
    client_credential={"client_assertion": config["assertion"]},
    token_cache=cache,
    **config["application"],
)

for _ in range(2):
    use(app.acquire_token_for_client(scopes=config["scopes"]), config["endpoint"])
