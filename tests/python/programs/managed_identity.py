"""MSAL's sample of a managed identity: the platform says by the environment what serves it."""

import msal
import requests
from common import settings, show

config = settings()
if config.get("client_id"):
    managed_identity = msal.UserAssignedManagedIdentity(client_id=config["client_id"])
else:
    managed_identity = msal.SystemAssignedManagedIdentity()
client = msal.ManagedIdentityClient(managed_identity, http_client=requests.Session())

first = client.acquire_token_for_client(resource=config["resource"])
if "access_token" in first:
    second = client.acquire_token_for_client(resource=config["resource"])
    show(
        token_type=first["token_type"],
        expires_in=first["expires_in"],
        resource=first["resource"],
        sources=[first["token_source"], second["token_source"]],
        same=first["access_token"] == second["access_token"],
    )
else:
    show(error=first["error"], error_description=first.get("error_description"))
