"""A web application of the older form: it makes the state itself, and gets the code; both here through standard input."""

import json
import sys
import uuid

import msal
from common import settings, show, use

config = settings()
app = msal.ConfidentialClientApplication(
    config["client_id"], client_credential=config["secret"], **config["application"]
)

state = str(uuid.uuid4())
show(
    page=app.get_authorization_request_url(
        config["scopes"], state=state, redirect_uri=config["redirect_uri"]
    )
)
redirect = json.loads(sys.stdin.readline())
if redirect["state"] != state:
    sys.exit("the redirect is of another session")
result = app.acquire_token_silent(config["scopes"], account=None)
if not result:
    result = app.acquire_token_by_authorization_code(
        redirect["code"], scopes=config["scopes"], redirect_uri=config["redirect_uri"]
    )
use(result, config["endpoint"])
