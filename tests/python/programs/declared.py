"""A service that has no credential of its own: the configuration declares it, and the broker proves who it is."""

import msal
from common import settings, show

config = settings()
app = msal.ConfidentialClientApplication.declared("reports")
results = [app.acquire_token_for_client(config["scopes"]) for _ in range(2)]
show(client_id=app.client_id, sources=[result["token_source"] for result in results])
