"""A program of Azure's: the environment says which identity it has, as MSAL's dictionary or not at all."""

import json
import os

import msal
import requests
from common import settings, use

config = settings()
cache = msal.TokenCache()
chosen = os.getenv("MANAGED_IDENTITY")
identity = json.loads(chosen) if chosen else msal.SystemAssignedManagedIdentity()
client = msal.ManagedIdentityClient(identity, http_client=requests.Session(), token_cache=cache)

for _ in range(2):
    use(client.acquire_token_for_client(resource=config["resource"]), config["endpoint"])
