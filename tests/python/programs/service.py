"""A service that asks for tokens of its own, each for what a round of its settings says."""

import msal
from common import settings, show

config = settings()
credential = config["credential"]
if "private_key_file" in config:
    with open(config["private_key_file"]) as key, open(config["certificate_file"]) as certificate:
        credential = {"private_key": key.read(), "public_certificate": certificate.read()}
app = msal.ConfidentialClientApplication(config["client_id"], client_credential=credential, **config["application"])

for data in config["rounds"]:
    result = app.acquire_token_for_client(config["scopes"], data=data)
    show(**{name: result.get(name) for name in ("access_token", "token_source", "error", "error_description")})
