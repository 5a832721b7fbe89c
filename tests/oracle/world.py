"""The surroundings of one run: folders, environment, the recording provider, and the daemon when the module needs one."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator
from unittest import mock

from .recorder import Recorder

_DAEMON_START_SECONDS = 20
_MOMENT_SECONDS = 0.01
_BROWSER = Path(__file__).with_name("browser.py")


@contextlib.contextmanager
def folders() -> Iterator[Path]:
    """A home of its own: nothing of the developer's is read or written, and other runs are not seen."""
    with tempfile.TemporaryDirectory(prefix="valetkey-oracle-") as name:
        home = Path(name)
        for folder in ("run", "state", "config", "cache", "tls"):
            (home / folder).mkdir(mode=0o700)
        os.environ.update(
            HOME=name, BROWSER=str(_BROWSER),
            XDG_RUNTIME_DIR=f"{name}/run", XDG_STATE_HOME=f"{name}/state", XDG_CONFIG_HOME=f"{name}/config", XDG_CACHE_HOME=f"{name}/cache",
            VALETKEY_SOCKET=f"{name}/run/broker.sock", VALETKEY_STATE_DIR=f"{name}/state/valetkey",
            VALETKEY_KEY_PROVIDER="file", VALETKEY_AUTOSTART="0",
        )
        yield home


@contextlib.contextmanager
def recording(home: Path, answer) -> Iterator[Recorder]:
    recorder = Recorder(home / "tls", answer)
    os.environ.update(recorder.environment())
    try:
        yield recorder
    finally:
        recorder.close()


@contextlib.contextmanager
def client_under_test(module_name: str) -> Iterator[None]:
    """MSAL runs in this process and need not sleep; valetkey is a daemon that lives in real time."""
    if module_name == "msal":
        with _quick_sleep():
            yield
    else:
        with _daemon(os.environ.get("VALETKEYD", "valetkeyd")):
            yield


def _quick_sleep():
    """MSAL waits in whole seconds, for polls and for the browser; a moment is enough for the threads it waits for."""
    real_sleep = time.sleep
    return mock.patch("time.sleep", lambda seconds: real_sleep(min(seconds, _MOMENT_SECONDS)))


@contextlib.contextmanager
def _daemon(executable: str) -> Iterator[None]:
    process = subprocess.Popen([executable], stdout=sys.stderr)
    try:
        _wait_for_socket(process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for_socket(process: subprocess.Popen):
    deadline = time.monotonic() + _DAEMON_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ["VALETKEY_SOCKET"])
            return
        time.sleep(0.01)  # sleep: nothing tells when another process begins to listen
    raise RuntimeError(f"valetkeyd did not listen on its socket (exit status {process.poll()})")
