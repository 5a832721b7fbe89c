"""MSAL, and valetkey in its place, against a provider that is certified and knows neither of them."""

from __future__ import annotations

import os
import shutil

import pytest

from .certified import PROVIDER
from .run_one import run_module

MODULES = ["msal", pytest.param("valetkey", marks=pytest.mark.skipif(
    "VALETKEYD" not in os.environ, reason="VALETKEYD does not name the daemon to try"))]
READY = (PROVIDER / "node_modules").is_dir() and shutil.which("chromium")


@pytest.mark.skipif(not READY, reason="needs npm ci in tests/oidc-provider, and Chromium")
@pytest.mark.parametrize("module", MODULES)
def test_sign_in_refresh_and_sign_out(module):
    seen = run_module("oracle.certified", "--module", module)
    assert seen["interactive"]["id_token_claims"]["preferred_username"] == "alice@example.test"
    assert [account["username"] for account in seen["accounts"]] == ["alice@example.test"]
    assert seen["silent"]["access_token"] == seen["interactive"]["access_token"]
    tokens = {seen[step]["access_token"] for step in ("interactive", "refreshed", "refreshed_again", "device")}
    assert len(tokens) == 4
    assert seen["device"]["id_token_claims"]["sub"] == "bob"
    assert seen["revoked"]["error"] == "invalid_grant"
    assert [account["username"] for account in seen["left"]] == ["bob@example.test"]
    assert seen["counters"]["refresh_token"]["granted"] == 2
