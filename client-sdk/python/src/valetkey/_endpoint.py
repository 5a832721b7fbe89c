"""Where the broker listens: the same rule as the daemon's own (``crates/ipc/src/endpoint.rs``)."""

from __future__ import annotations

import os
import socket
import stat
import subprocess

from .exceptions import BrokerUnreachableError

_SOCKET = os.path.join("valetkey", "broker.sock")
#: Where a daemon listens that was installed for every user of the machine.
SYSTEM_ENDPOINT = "/run/valetkey/broker.sock"


def find_endpoint() -> str:
    """The socket's path, or the named pipe's. An empty variable counts as unset (XDG base directories).

    Where the system has a daemon for all users it is taken, unless the user's own is listening: one that was started beside it
    would know none of the user's sign-ins.
    """
    chosen = os.environ.get("VALETKEY_SOCKET")
    if chosen:
        if not is_pipe(chosen) and not os.path.isabs(chosen):
            # It would mean another socket in each working directory.
            raise BrokerUnreachableError(
                f"find the broker's socket: VALETKEY_SOCKET is {chosen}, which is no absolute path; "
                "write it with all of its folders"
            )
        return chosen
    if os.name == "nt":
        return _windows_pipe()
    return _unix_socket() if not _is_there(SYSTEM_ENDPOINT) or _is_own_served() else SYSTEM_ENDPOINT


def is_pipe(endpoint: str) -> bool:
    """Whether the endpoint is a named pipe of Windows."""
    return endpoint.startswith("\\\\")


def keeper_of(folder: str) -> int | None:
    """Whom root has put in charge of a folder: its owner, where nobody but root could have made it (``crates/safe-path``)."""
    if not os.path.isabs(folder) or os.path.normpath(folder) != folder:
        return None
    try:
        found = [os.lstat(folder)]
        while folder != "/":
            folder = os.path.dirname(folder)
            found.append(os.lstat(folder))
    except OSError:
        return None
    if any(not stat.S_ISDIR(one.st_mode) or one.st_mode & 0o022 for one in found):
        return None
    return found[0].st_uid if all(above.st_uid == 0 for above in found[1:]) else None


def _is_there(endpoint: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(endpoint).st_mode)
    except OSError:
        return False


def _is_own_served() -> bool:
    try:
        own = _unix_socket()
    except BrokerUnreachableError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(own)
        except BlockingIOError:
            # A queue that is full is somebody's.
            return True
        except OSError:
            return False
        return True


def _unix_socket() -> str:
    if os.uname().sysname == "Darwin":
        if os.environ.get("TMPDIR"):
            return os.path.join(os.environ["TMPDIR"], _SOCKET)
        return _among_the_state()
    own = os.geteuid()
    declared = os.environ.get("XDG_RUNTIME_DIR")
    # After `su` or `sudo -E` the variable still names the other user's folder.
    if declared and _owner_of(declared) in (None, own):
        return os.path.join(declared, _SOCKET)
    usual = f"/run/user/{own}"
    if _owner_of(usual) == own:
        return os.path.join(usual, _SOCKET)
    return _among_the_state()


def find_state_folder() -> str | None:
    """The folder of the daemon's store, if the environment names one (``daemon/src/paths.rs``)."""
    chosen = os.environ.get("VALETKEY_STATE_DIR")
    if chosen:
        return chosen
    states = os.environ.get("XDG_STATE_HOME")
    if not states and os.name == "nt":
        states = os.environ.get("LOCALAPPDATA")
    elif not states and os.environ.get("HOME"):
        states = os.path.join(os.environ["HOME"], ".local", "state")
    return os.path.join(states, "valetkey") if states else None


def _among_the_state() -> str:
    folder = find_state_folder()
    if not folder:
        raise BrokerUnreachableError(
            "find the broker's socket: neither XDG_RUNTIME_DIR nor HOME is set; set VALETKEY_SOCKET"
        )
    return os.path.join(folder, "run", "broker.sock")


def _owner_of(folder: str) -> int | None:
    try:
        return os.stat(folder).st_uid
    except OSError:
        return None


def _windows_pipe() -> str:
    # The system's own program is the one way to one's SID within the standard library that needs no foreign calls.
    whoami = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "whoami.exe")
    try:
        row = subprocess.check_output([whoami, "/user", "/fo", "csv", "/nh"], text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BrokerUnreachableError(
            f"find the broker's pipe: cannot tell the user's SID ({error}); set VALETKEY_SOCKET"
        ) from error
    sid = row.strip().rsplit(",", 1)[-1].strip('"')
    return rf"\\.\pipe\valetkey-{sid}"
