"""Signs in on another device at the first round, and finds the token in the cache at the second."""

import sys

import msal
from common import settings, show, use

config = settings()
cache = msal.TokenCache()
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

for _ in range(2):
    result = None
    accounts = app.get_accounts()
    if accounts:
        result = app.acquire_token_silent(config["scopes"], account=accounts[0])
    if not result:
        flow = app.initiate_device_flow(scopes=config["scopes"])
        if "user_code" not in flow:
            sys.exit(f"no device flow: {flow}")
        show(message=flow["message"], user_code=flow["user_code"])
        result = app.acquire_token_by_device_flow(flow)
    use(result, config["endpoint"])
