"""What all tests share: no daemon of the machine is ever found or started by accident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from scripted_daemon import Daemon, Reply, Request, answer
from valetkey._private_cache import take_abandoned

StartDaemon = Callable[[Callable[[Request], Reply]], Daemon]


@pytest.fixture(autouse=True)
def _no_daemon_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("VALETKEY_SOCKET", f"{tmp_path}/nobody.sock")
    monkeypatch.setenv("VALETKEY_AUTOSTART", "0")
    monkeypatch.setenv("VALETKEY_STATE_DIR", f"{tmp_path}/state")
    monkeypatch.delenv("VALETKEY_DAEMON", raising=False)
    # What another test left behind would be dropped in this one's daemon.
    while take_abandoned():
        pass


@pytest.fixture
def start_daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartDaemon]:
    """Starts a daemon that answers by the given function, and points the SDK to it."""
    started: list[Daemon] = []

    def start(handle: Callable[[Request], Reply]) -> Daemon:
        daemon = Daemon(handle).__enter__()
        started.append(daemon)
        monkeypatch.setenv("VALETKEY_SOCKET", daemon.path)
        return daemon

    yield start
    for daemon in started:
        daemon.__exit__()


def refused(code: str, status: int = 400, **members: Any) -> Reply:
    """An error body of the daemon's."""
    return answer(status, {"error": code, "error_description": "why", "correlation_id": "cid-1", **members})


def after_opening(handle: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    """Opens any application, and leaves the other requests to ``handle``."""

    def route(request: Request) -> Reply:
        return answer(200, {"app": "a1"}) if request.target == "/v1/apps" else handle(request)

    return route
