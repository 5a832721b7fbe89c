"""An application written for MSAL, against the certified provider of ``tests/oidc-provider`` and a real Chromium.

    python -m oracle.certified --module msal

Prints what the application got, as JSON. Needs Node with the provider's packages installed (``npm ci``), and Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import ssl
import subprocess
import sys
import urllib.request
import warnings
from pathlib import Path
from typing import Iterator

from . import world
from .certificates import CertificateAuthority

PROVIDER = Path(__file__).parents[1] / "oidc-provider"


@contextlib.contextmanager
def certified_provider(home: Path) -> Iterator[dict]:
    """Over TLS, since MSAL takes no http authority; the CA reaches every client through the environment."""
    authority = CertificateAuthority(home / "tls")
    certificate = authority.issue("127.0.0.1")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        os.environ[name] = str(authority.path)
    command = ["node", "server.mjs", "--tls-cert", str(certificate), "--tls-key", str(certificate)]
    process = subprocess.Popen(command, cwd=PROVIDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(timeout=10)


class Control:
    def __init__(self, url: str):
        self._url = url
        self._context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])

    def __call__(self, method: str, path: str, **body):
        request = urllib.request.Request(self._url + path, data=json.dumps(body).encode() if body else None, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context))
        return json.load(direct.open(request))


def use(msal, issuer: str, control: Control) -> dict:
    """Signs one user in with the browser and another with a device code, refreshes, and signs out."""
    app = msal.PublicClientApplication("public", oidc_authority=issuer)
    seen = {"interactive": app.acquire_token_interactive(["read"])}
    [alice] = seen["accounts"] = app.get_accounts()
    seen["silent"] = app.acquire_token_silent(["read"], alice)
    seen["refreshed"] = app.acquire_token_silent(["read"], alice, force_refresh=True)
    seen["refreshed_again"] = app.acquire_token_silent(["read"], alice, force_refresh=True)
    flow = app.initiate_device_flow(scopes=["read"])
    control("POST", "/device", url=flow["verification_uri_complete"], user="bob")
    seen["device"] = app.acquire_token_by_device_flow(flow)
    control("POST", "/revoke", user="alice", client_id="public")
    seen["revoked"] = app.acquire_token_silent_with_error(["read"], alice, force_refresh=True)
    app.remove_account(alice)
    seen["left"] = app.get_accounts()
    seen["counters"] = control("GET", "/counters")
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="msal")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with world.folders() as home, certified_provider(home) as provider:
        os.environ.update(BROWSER=str(PROVIDER / "browser"), SIGN_IN_USER="alice")
        with world.client_under_test(arguments.module):
            seen = use(importlib.import_module(arguments.module), provider["tenant_issuer"], Control(provider["control"]))
    json.dump(seen, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
