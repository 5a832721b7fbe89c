"""Signs in on another device: shows a code, and waits until somebody has typed it in there."""

import sys

import msal
from common import persistent, settings, show

config = settings()
cache = persistent(msal.SerializableTokenCache())
app = msal.PublicClientApplication(config["client_id"], token_cache=cache, **config["application"])

flow = app.initiate_device_flow(scopes=config["scopes"])
if "user_code" not in flow:
    sys.exit(f"no device flow: {flow}")
show(user_code=flow["user_code"], verification_uri=flow["verification_uri"])

result = app.acquire_token_by_device_flow(flow)
if "access_token" in result:
    show(access_token=result["access_token"], username=result["id_token_claims"]["preferred_username"])
else:
    show(error=result["error"], error_description=result.get("error_description"))
