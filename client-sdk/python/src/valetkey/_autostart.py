"""Starting the daemon when nothing listens."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from typing import Any

from ._connection import Connection, GoneError, NotRunningError
from ._endpoint import SYSTEM_ENDPOINT
from ._log import Log
from .exceptions import BrokerUnreachableError

logger = logging.getLogger(__name__)

_START_SECONDS = 10.0
#: A daemon that lost the race against another one exits at once, while the winner is about to listen.
_GRACE_SECONDS = 1.0
_PAUSE_SECONDS = 0.02
#: What any daemon that is up has an answer to.
_QUESTION = b"GET /v1/status HTTP/1.1\r\nHost: valetkey\r\nContent-Length: 0\r\n\r\n"

# Kept so that an exited daemon is reaped the next time one is started, and does not remain as a zombie.
_started: list[subprocess.Popen[bytes]] = []


def connect_or_start(endpoint: str) -> Connection:
    """Connects, having started the daemon if need be and allowed."""
    try:
        return Connection(endpoint)
    except NotRunningError:
        process, log = _start(endpoint)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _prove(endpoint)
            return Connection(endpoint)
        except (NotRunningError, GoneError):
            now = time.monotonic()
            if process.poll() is not None:
                deadline = min(deadline, now + _GRACE_SECONDS)
            if now >= deadline:
                raise _did_not_come_up(endpoint, process, log) from None
            time.sleep(_PAUSE_SECONDS)


def _prove(endpoint: str) -> None:
    """A daemon takes its name before it opens its store, and may still find that it cannot: it is up when it answers."""
    connection = Connection(endpoint)
    try:
        connection.exchange(_QUESTION)
    finally:
        connection.close()


def _start(endpoint: str) -> tuple[subprocess.Popen[bytes], Log]:
    nobody = f"connect to {endpoint}: no daemon is running there"
    if endpoint == SYSTEM_ENDPOINT:
        raise BrokerUnreachableError(
            f"{nobody}; it is for the administrator to start the service: `systemctl start valetkeyd`; for a daemon of "
            "your own, set VALETKEY_SOCKET to a path in a folder of your own"
        )
    if os.environ.get("VALETKEY_AUTOSTART") == "0":
        raise BrokerUnreachableError(f"{nobody}, and VALETKEY_AUTOSTART=0 forbids to start one; run `valetkeyd`")
    program = os.environ.get("VALETKEY_DAEMON") or _find_on_path()
    if not program:
        raise BrokerUnreachableError(
            f"{nobody}, and `valetkeyd` is not on PATH; install valetkey, or set VALETKEY_DAEMON to the program"
        )
    _started[:] = [process for process in _started if process.poll() is None]
    log = Log()
    try:
        process = subprocess.Popen([program], stderr=log.file, **_detached())
    except OSError as error:
        raise BrokerUnreachableError(f"start {program}: {error}; set VALETKEY_DAEMON to the program") from error
    finally:
        log.close()
    logger.info("started %s, process %d", program, process.pid)
    _started.append(process)
    return process, log


def _find_on_path() -> str | None:
    """Not in the working directory, which an empty entry means: anybody may have put anything there."""
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    found = shutil.which("valetkeyd", path=os.pathsep.join(folders))
    return found if found and os.path.isabs(found) else None


def _detached() -> dict[str, Any]:
    """The daemon outlives this process, its terminal and a Ctrl-C in it."""
    null = subprocess.DEVNULL
    options: dict[str, Any] = {"stdin": null, "stdout": null, "close_fds": True}
    if os.name == "nt":
        detached, no_window = 0x00000008, 0x08000000
        return {**options, "creationflags": detached | no_window}
    return {**options, "start_new_session": True}


def _did_not_come_up(endpoint: str, process: subprocess.Popen[bytes], log: Log) -> BrokerUnreachableError:
    code = process.poll()
    what = f"it does not listen after {_START_SECONDS:.0f} s" if code is None else f"it exited with status {code}"
    words = "" if code is None else log.last_words()
    reason = f"{what}: {words}" if words else what
    return BrokerUnreachableError(f"start {process.args!s} for {endpoint}: {reason}; {log.advice}")
