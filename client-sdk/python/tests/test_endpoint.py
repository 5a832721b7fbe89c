"""Where the daemon is looked for, and who may be listening there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import valetkey
import valetkey._autostart
import valetkey._connection
import valetkey._endpoint
from conftest import StartDaemon
from scripted_daemon import answer
from valetkey._endpoint import find_endpoint, keeper_of
from valetkey._transport import Transport


#: On CI nothing is skipped: who is not root there fails.
takes_root = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="only root can listen as another user"
)


def test_a_strangers_socket_gets_not_a_byte(start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    monkeypatch.setattr(valetkey._connection, "_listening_user", lambda _peer: os.geteuid() + 1)
    with pytest.raises(valetkey.BrokerUnreachableError, match="nothing was sent"):
        Transport(daemon.path).request("GET", "/v1/status")
    assert daemon.requests == []


def test_the_kernel_tells_who_listens(start_daemon: StartDaemon) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(start_daemon(lambda _: answer(200, {})).path)
        assert valetkey._connection._listening_user(peer) == os.geteuid()


LISTEN_AS_NOBODY = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.setuid(65534)
listener.listen()
print("ready", flush=True)
print(listener.accept()[0].recv(1), flush=True)
"""


@takes_root
def test_another_users_process_gets_not_a_byte(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    command = [sys.executable, "-c", LISTEN_AS_NOBODY, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(valetkey.BrokerUnreachableError, match="user 65534 listens there"):
            Transport(path).request("GET", "/v1/status")
        assert other.stdout.readline() == "b''\n"


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder that root made where nobody else can, and gave away."""
    # Everybody may make folders in the usual places for temporary ones.
    with tempfile.TemporaryDirectory(dir="/var") as place:
        folder = Path(place) / "service"
        folder.mkdir()
        Path(place).chmod(0o755)
        os.chown(folder, 65534, 65534)
        yield folder


@takes_root
def test_a_service_in_the_folder_that_root_gave_to_it_is_trusted(folder_of_nobody: Path) -> None:
    command = [sys.executable, "-c", LISTEN_AS_NOBODY, str(folder_of_nobody / "s")]
    for mode, is_trusted in [(0o755, True), (0o777, False)]:
        folder_of_nobody.chmod(mode)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(valetkey.BrokerUnreachableError) as raised:
                Transport(command[-1]).request("GET", "/v1/status")
            assert ("nothing was sent" in str(raised.value)) is not is_trusted
            assert (other.stdout.readline() == "b'G'\n") is is_trusted
        os.unlink(command[-1])


def test_nobody_is_in_charge_of_a_folder_that_anybody_could_have_made(tmp_path: Path) -> None:
    assert [keeper_of(path) for path in ("/", str(tmp_path), "relative", "/var/../var", "/nowhere/at/all")] == [
        0,
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("served", "stale", "expected"),
    [
        ([], [], "own"),
        (["system"], [], "system"),
        (["system"], ["own"], "system"),
        (["own"], ["system"], "own"),
        (["own", "system"], [], "own"),
        ([], ["system"], "system"),
    ],
)
def test_the_systems_daemon_is_taken_unless_an_own_one_listens(
    served: list[str], stale: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: tmp_path / name / "valetkey" / "broker.sock" for name in ("own", "system")}
    monkeypatch.delenv("VALETKEY_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(valetkey._endpoint, "SYSTEM_ENDPOINT", str(paths["system"]))
    listeners = []
    for name in served + stale:
        paths[name].parent.mkdir(parents=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(paths[name]))
        listener.listen()
        listeners.append(listener)
        if name in stale:
            listener.close()
    try:
        assert find_endpoint() == str(paths[expected])
    finally:
        for listener in listeners:
            listener.close()


def test_the_systems_daemon_is_started_by_the_system_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "s")
    monkeypatch.setattr(valetkey._autostart, "SYSTEM_ENDPOINT", path)
    with pytest.raises(valetkey.BrokerUnreachableError, match="systemctl start valetkeyd"):
        Transport(path).request("GET", "/v1/status")


def test_a_relative_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALETKEY_SOCKET", "broker.sock")
    with pytest.raises(valetkey.BrokerUnreachableError, match="no absolute path"):
        find_endpoint()
