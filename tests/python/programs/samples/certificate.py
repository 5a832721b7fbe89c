"""A daemon that proves itself by the key of a certificate, which the thumbprint names."""

import msal
from common import settings, use

config = settings()
with open(config["private_key_file"]) as file:
    credential = {"thumbprint": config["thumbprint"], "private_key": file.read()}
cache = msal.TokenCache()
app = msal.ConfidentialClientApplication(
    config["client_id"], client_credential=credential, token_cache=cache, **config["application"]
)

for _ in range(2):
    use(app.acquire_token_for_client(scopes=config["scopes"]), config["endpoint"])
