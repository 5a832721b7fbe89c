"""Runs each snippet of the README, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import valetkey
from conftest import StartDaemon, refused
from scripted_daemon import Reply, Request, answer

README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
SNIPPETS = re.findall("```python\n(.*?)```", README, re.DOTALL)
PEM = "-----BEGIN {0}-----\nY2VydA==\n-----END {0}-----\n"
TOKEN = {"access_token": "at-1", "token_type": "Bearer", "expires_in": 3599, "token_source": "identity_provider"}
ADA = {"home_account_id": "u.t", "environment": "login.microsoftonline.com", "username": "ada@contoso.com"}
DECLARED = {"app": "a1", "kind": "confidential", "client_id": "c", "authority": "https://login.example/contoso"}
FLOW = {"flow": "f", "state": "completed", "auth_state": "st", "auth_uri": "https://login.example/", "result": TOKEN}


def play(request: Request) -> Reply:
    """All goes well. An application that makes its assertions itself is asked for one."""
    body = request.body or {}
    if request.target == "/v1/apps" and "name" in body:
        return answer(200, DECLARED)
    if request.target == "/v1/apps" and body.get("credential", {}).get("type") == "assertion_callback":
        return answer(200, {"app": "asked"})
    if request.target == "/v1/apps/asked/token" and "client_assertion" not in body:
        return refused("client_assertion_needed", 409)
    return answer(200, {**FLOW, **TOKEN, "app": "a1", "accounts": [ADA], "version": 1, "cache": {"Account": {}}})


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 6  # noqa: PLR2004


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.split("\n")[2][:40])
def test_a_snippet_runs_without_a_warning(
    snippet: str, start_daemon: StartDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.pem").write_text(PEM.format("PRIVATE KEY"))
    (tmp_path / "certificate.pem").write_text(PEM.format("CERTIFICATE"))
    (tmp_path / "app.pfx").write_bytes(b"\x30\x82")
    (tmp_path / "token.of-the-platform").write_text("ey")
    (tmp_path / "cache.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    daemon = start_daemon(play)
    names: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert daemon.requests
    for name in ("result", "later", "moved"):
        assert "error" not in names.get(name, {})


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(acquire_token_\w+|initiate_\w+)`", README))))
def test_a_call_that_the_readme_names_is_there_or_was_adals(name: str) -> None:
    is_adals = name.startswith("acquire_token_with_")
    assert (
        is_adals
        or hasattr(valetkey.ConfidentialClientApplication, name)
        or hasattr(valetkey.PublicClientApplication, name)
    )
