"""Keeps running, as an editor does, and asks for a token each time that a line arrives."""

import sys

import msal
from common import settings, show

config = settings()
app = msal.PublicClientApplication(config["client_id"], **config["application"])
for _ in sys.stdin:
    accounts = app.get_accounts()
    result = app.acquire_token_silent(config["scopes"], accounts[0], force_refresh=config.get("force_refresh", False))
    show(access_token=result and result["access_token"])
