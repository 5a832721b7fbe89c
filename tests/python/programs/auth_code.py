"""Signs in with a page of its own, as a web application does: the redirect comes back to it, here through standard input."""

import json
import sys

import msal
from common import settings, show

config = settings()
app = msal.PublicClientApplication(config["client_id"], **config["application"])

flow = app.initiate_auth_code_flow(config["scopes"], redirect_uri="http://localhost/callback")
show(auth_uri=flow["auth_uri"])
try:
    result = app.acquire_token_by_auth_code_flow(flow, json.loads(sys.stdin.readline()))
except ValueError as error:
    show(error="ValueError", error_description=str(error))
else:
    show(**{name: result.get(name) for name in ("access_token", "error", "token_source")})
