"""What all tests share: no daemon of the machine is ever found or started by accident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import pytest

from scripted_daemon import Daemon, Reply, Request

StartDaemon = Callable[[Callable[[Request], Reply]], Daemon]


@pytest.fixture(autouse=True)
def _no_daemon_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("VALETKEY_SOCKET", f"{tmp_path}/nobody.sock")
    monkeypatch.setenv("VALETKEY_AUTOSTART", "0")
    monkeypatch.delenv("VALETKEY_DAEMON", raising=False)


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
