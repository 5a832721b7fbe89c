"""A web API that was called with a user's token, here through standard input, and calls another one for that user."""

import sys

import msal
from common import settings, use

config = settings()
app = msal.ConfidentialClientApplication(
    config["client_id"], client_credential=config["secret"], **config["application"]
)

for line in sys.stdin:
    result = app.acquire_token_on_behalf_of(user_assertion=line.strip(), scopes=config["scopes"])
    use(result, config["endpoint"])
