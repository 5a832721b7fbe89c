"""Transport faults: hang-ups, broken answers, threads, forks, a stranger's socket, and starting the daemon."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

import valetkey
import valetkey._autostart
import valetkey._connection
import valetkey._log
from conftest import StartDaemon
from scripted_daemon import HANG_UP, Daemon, Reply, Request, answer
from valetkey._endpoint import find_endpoint
from valetkey._transport import Transport

HEAD = b"HTTP/1.1 200 OK\r\n"


def ask(daemon: Daemon) -> dict[str, Any]:
    return Transport(daemon.path).request("GET", "/v1/status")


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (HANG_UP, "hung up without an answer"),
        (Reply(HEAD[:9], hang_up=True), "broke off"),
        (Reply(HEAD + b"content-length: 10\r\n\r\n{", hang_up=True), "broke off"),
        (Reply(HEAD + b"content-length: 1\r\n\r\n{}"), "longer than announced"),
        (Reply(HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), "does not tell its length"),
        (Reply(HEAD + b"content-length: two\r\n\r\n{}"), "does not tell its length"),
        (Reply(HEAD + b"content-length: 99999999999\r\n\r\n{}"), "absurdly long"),
        (Reply(HEAD + b"\r\n{}"), "does not tell its length"),
        (Reply(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "in chunks"),
        (Reply(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "does not speak HTTP"),
        (Reply(b"x" * 70_000), "does not speak HTTP"),
        (Reply(b"HTTP/1.1 abc OK\r\n\r\n"), "does not speak HTTP"),
    ],
)
def test_a_broken_answer_is_the_brokers_trouble(start_daemon: StartDaemon, reply: Reply, complaint: str) -> None:
    with pytest.raises(valetkey.BrokerUnreachableError, match=complaint):
        ask(start_daemon(lambda _: reply))


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="there are no users here whom a socket's mode keeps out")
def test_a_socket_without_permission_is_said_to_be_anothers(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    os.chmod(daemon.path, 0)
    own = os.geteuid()
    if own == 0:
        # Root may connect to whatever there is.
        os.seteuid(65534)
    try:
        with pytest.raises(valetkey.BrokerUnreachableError, match="Permission denied; the socket is another user's"):
            ask(daemon)
    finally:
        os.seteuid(own)


@pytest.mark.parametrize("content", [b"garbage", b"[]", b'"text"', b"\xff\xfe"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_that_is_no_object_is_told(start_daemon: StartDaemon, status: int, content: bytes) -> None:
    reply = Reply(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
    with pytest.raises(valetkey.BrokerError, match="same release"):
        ask(start_daemon(lambda _: reply))


def test_an_error_without_a_code_is_told(start_daemon: StartDaemon) -> None:
    with pytest.raises(valetkey.BrokerError, match="status 400"):
        ask(start_daemon(lambda _: answer(400, {"message": "no"})))


def test_an_answer_in_small_pieces_is_put_together() -> None:
    ours, theirs = socket.socketpair()
    connection = object.__new__(valetkey._connection.Connection)
    connection.endpoint, connection._peer, connection._send = "pair", ours, ours.sendall
    # One byte at a time is the worst that a stream can do.
    connection._receive = lambda _size: ours.recv(1)
    theirs.sendall(answer(200, {"long": "x" * 300}).raw)
    assert connection.exchange(b"GET").body == b'{"long": "' + b"x" * 300 + b'"}'
    connection.close()
    theirs.close()


def test_one_connection_serves_many_requests(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    transport = Transport(daemon.path)
    for _ in range(3):
        transport.request("GET", "/v1/status")
    assert {request.connection for request in daemon.requests} == {1}


def test_a_connection_that_the_daemon_wants_to_close_is_not_used_again(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: answer(200, {}, "Connection: close\r\n"))
    transport = Transport(daemon.path)
    transport.request("GET", "/v1/status")
    transport.request("GET", "/v1/status")
    assert [request.connection for request in daemon.requests] == [1, 2]


def test_a_broken_answer_leaves_no_connection_behind(start_daemon: StartDaemon) -> None:
    replies = [Reply(HEAD + b"content-length: 1\r\n\r\n{}"), answer(200, {"next": True})]
    daemon = start_daemon(lambda _: replies.pop(0))
    transport = Transport(daemon.path)
    with pytest.raises(valetkey.BrokerUnreachableError):
        transport.request("GET", "/v1/status")
    assert transport.request("GET", "/v1/status") == {"next": True}


def test_connections_that_died_with_a_restart_are_replaced(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    transport = Transport(daemon.path)
    transport.request("GET", "/v1/status")
    daemon.hang_up()
    assert transport.request("GET", "/v1/status") == {}


def test_what_may_be_repeated_survives_a_daemon_that_is_just_ending(start_daemon: StartDaemon) -> None:
    replies = [HANG_UP, answer(200, {})]
    daemon = start_daemon(lambda _: replies.pop(0))
    assert ask(daemon) == {}
    assert [request.connection for request in daemon.requests] == [1, 2]


def test_what_may_have_begun_something_is_not_repeated(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: HANG_UP)
    with pytest.raises(valetkey.BrokerUnreachableError, match="hung up without an answer"):
        Transport(daemon.path).request("POST", "/v1/apps/app-1/flows", {})
    assert len(daemon.requests) == 1


def test_half_an_answer_on_a_kept_connection_is_not_asked_for_again(start_daemon: StartDaemon) -> None:
    replies = [answer(200, {}), Reply(HEAD, hang_up=True)]
    daemon = start_daemon(lambda _: replies.pop(0))
    transport = Transport(daemon.path)
    transport.request("POST", "/v1/apps", {})
    with pytest.raises(valetkey.BrokerUnreachableError, match="broke off"):
        transport.request("POST", "/v1/apps", {})
    assert len(daemon.requests) == 2  # noqa: PLR2004


def test_a_daemon_that_never_answers_is_given_up(start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(_: Request) -> Reply:
        released.wait()
        return HANG_UP

    monkeypatch.setattr(valetkey._connection, "_PATIENCE_SECONDS", 0.05)
    daemon = start_daemon(hang)
    with pytest.raises(valetkey.BrokerUnreachableError, match="no answer"):
        ask(daemon)
    released.set()


def test_ten_threads_get_their_own_answers(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda request: answer(200, {"echo": request.body}))
    transport = Transport(daemon.path)
    wrong: list[Any] = []
    together = threading.Barrier(10)

    def work(name: int) -> None:
        together.wait()
        for turn in range(50):
            body = {"echo": {"name": name, "turn": turn}}
            if transport.request("POST", "/v1/apps", body["echo"]) != body:
                wrong.append(body)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(daemon.requests) == 500  # noqa: PLR2004


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_both_sides_of_a_fork_have_their_own_connections(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda request: answer(200, {"echo": request.body}))
    transport = Transport(daemon.path)
    transport.request("POST", "/v1/apps", {"from": "parent"})
    child = os.fork()
    if child == 0:
        # A forked copy of the test run must never come back into it.
        try:
            answers = [transport.request("POST", "/v1/apps", {"turn": turn}) for turn in range(20)]
            os._exit(0 if answers == [{"echo": {"turn": turn}} for turn in range(20)] else 1)
        finally:
            os._exit(2)
    for turn in range(20):
        assert transport.request("POST", "/v1/apps", {"turn": turn}) == {"echo": {"turn": turn}}
    assert os.waitpid(child, 0)[1] == 0
    connections = {request.connection for request in daemon.requests}
    assert connections == {1, 2}


@pytest.mark.parametrize("entry", ["", ".", "bin"])
def test_a_daemon_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        planted = folder / ("valetkeyd.exe" if os.name == "nt" else "valetkeyd")
        planted.write_text("#!/bin/sh\ntouch ran\n")
        planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VALETKEY_DAEMON", raising=False)
    monkeypatch.delenv("VALETKEY_AUTOSTART", raising=False)
    monkeypatch.setenv("PATH", entry)
    with pytest.raises(valetkey.BrokerUnreachableError, match="not on PATH"):
        valetkey._autostart.connect_or_start(str(tmp_path / "none.sock"))
    assert not (tmp_path / "ran").exists()
    monkeypatch.setenv("PATH", os.pathsep.join([entry, str(tmp_path / "bin")]))
    assert valetkey._autostart._find_on_path() == str(tmp_path / "bin" / planted.name)


FAKE_DAEMON = f"""#!{sys.executable}
import os, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from scripted_daemon import Daemon, answer
import threading
def handle(request):
    return answer(200, {{"pid": os.getpid(), "session": os.getsid(0)}}, "connection: close\\r\\n")
with Daemon(handle, os.environ["VALETKEY_SOCKET"]):
    threading.Event().wait()
"""


@pytest.fixture
def socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where nobody listens, with leave to start a daemon; whatever was started is ended afterwards."""
    path = str(tmp_path / "broker.sock")
    monkeypatch.setenv("VALETKEY_SOCKET", path)
    monkeypatch.delenv("VALETKEY_AUTOSTART")
    yield path
    while valetkey._autostart._started:
        process = valetkey._autostart._started.pop()
        process.kill()
        process.wait()


def program(folder: Path, text: str) -> Path:
    file = folder / "valetkeyd"
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.mark.parametrize("by", ["PATH", "VALETKEY_DAEMON"])
def test_the_daemon_is_started_once_for_all_threads_and_in_a_session_of_its_own(
    tmp_path: Path, socket_path: str, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    daemon = program(tmp_path, FAKE_DAEMON)
    monkeypatch.setenv(by, str(daemon if by == "VALETKEY_DAEMON" else tmp_path))
    transport = Transport(socket_path)
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(transport.request("GET", "/"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (started,) = {one["pid"] for one in answers}
    assert len(answers) == len(threads)
    assert answers[0]["session"] == started
    assert [process.pid for process in valetkey._autostart._started] == [started]


def test_a_daemon_that_exits_at_once_is_told_with_its_status(
    tmp_path: Path, socket_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALETKEY_DAEMON", str(program(tmp_path, "#!/bin/sh\nexit 7\n")))
    monkeypatch.setattr(valetkey._autostart, "_GRACE_SECONDS", 0.0)
    with pytest.raises(valetkey.BrokerUnreachableError, match=r"exited with status 7; its log is .*/valetkeyd.log"):
        Transport(socket_path).request("GET", "/")


HANGS_UP = f"""#!{sys.executable}
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["VALETKEY_SOCKET"])
listener.listen()
listener.accept()
os.unlink(os.environ["VALETKEY_SOCKET"])
sys.exit("valetkeyd: the store is damaged")
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\nprintf 'reading\\nvaletkeyd: mend \\033[2Jit\\n\\n' >&2; exit 1\n", "mend \ufffd[2Jit"),
        (HANGS_UP, "the store is damaged"),
        (f"#!{sys.executable}\nimport sys; sys.exit(3000 * 'x')\n", 2047 * "x"),
    ],
)
def test_what_the_daemon_said_last_is_told(
    tmp_path: Path, socket_path: str, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    earlier = program(tmp_path / "state", "valetkeyd: of an earlier one\n").rename(tmp_path / "state/valetkeyd.log")
    earlier.chmod(0o600)
    monkeypatch.setenv("VALETKEY_DAEMON", str(program(tmp_path, text)))
    monkeypatch.setattr(valetkey._autostart, "_GRACE_SECONDS", 0.0)
    with pytest.raises(valetkey.BrokerUnreachableError) as caught:
        Transport(socket_path).request("GET", "/")
    assert f"it exited with status 1: {told}; its log is {earlier}" in str(caught.value)


def plant_a_link(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "valetkeyd.log").symlink_to("victim")


def share(state: Path) -> None:
    state.mkdir()
    state.chmod(0o777)


@pytest.mark.parametrize(("spoil", "reason"), [(plant_a_link, "valetkeyd.log"), (share, "its mode 0777 lets others")])
def test_without_a_log_the_reason_is_told(
    tmp_path: Path, socket_path: str, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(tmp_path / "state")
    monkeypatch.setenv("VALETKEY_DAEMON", str(program(tmp_path, "#!/bin/sh\necho lost >&2; exit 1\n")))
    monkeypatch.setattr(valetkey._autostart, "_GRACE_SECONDS", 0.0)
    with pytest.raises(valetkey.BrokerUnreachableError, match="its log cannot be kept: .*in a terminal") as caught:
        Transport(socket_path).request("GET", "/")
    assert reason in str(caught.value)
    assert list((tmp_path / "state").glob("victim")) == []


def test_a_log_that_is_full_is_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valetkey._log, "_LARGEST", 5)
    for text in (b"first", b"2", b"third"):
        log = valetkey._log.Log()
        os.write(log.file, text)
        log.close()
    assert (tmp_path / "state" / "valetkeyd.log.old").read_bytes() == b"first2"
    assert (tmp_path / "state" / "valetkeyd.log").read_bytes() == b"third"


def test_a_daemon_that_does_not_listen_in_time_is_told(
    tmp_path: Path, socket_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALETKEY_DAEMON", str(program(tmp_path, "#!/bin/sh\nexec sleep 1000\n")))
    monkeypatch.setattr(valetkey._autostart, "_START_SECONDS", 0.0)
    with pytest.raises(valetkey.BrokerUnreachableError, match="does not listen"):
        Transport(socket_path).request("GET", "/")


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"VALETKEY_AUTOSTART": "0"}, "run `valetkeyd`"),
        ({"PATH": "/nonexistent"}, "set VALETKEY_DAEMON"),
        ({"VALETKEY_DAEMON": "/nonexistent/valetkeyd"}, "start /nonexistent/valetkeyd"),
    ],
)
def test_without_a_daemon_the_error_says_what_to_do(
    socket_path: str, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], advice: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(valetkey.BrokerUnreachableError, match=advice) as caught:
        Transport(socket_path).request("GET", "/")
    assert isinstance(caught.value, (OSError, RuntimeError))


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(valetkey.BrokerUnreachableError, match="too long"):
        Transport(f"{tmp_path}/{'x' * 200}").request("GET", "/")


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are Linux's")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VALETKEY_SOCKET": "/a/b", "XDG_RUNTIME_DIR": "/c"}, "/a/b"),
        ({"VALETKEY_SOCKET": "", "XDG_RUNTIME_DIR": "{own}", "HOME": "/h"}, "{own}/valetkey/broker.sock"),
        ({"XDG_RUNTIME_DIR": "/run/nobody-yet", "HOME": "/h"}, "/run/nobody-yet/valetkey/broker.sock"),
        ({"VALETKEY_STATE_DIR": "/s", "HOME": "/h"}, "/s/run/broker.sock"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/valetkey/run/broker.sock"),
        ({"HOME": "/h"}, "/h/.local/state/valetkey/run/broker.sock"),
        ({"XDG_RUNTIME_DIR": "{foreign}", "HOME": "/h"}, "/h/.local/state/valetkey/run/broker.sock"),
    ],
)
def test_the_endpoint_is_found_as_the_daemon_finds_it(
    environment: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    owners = {str(own): os.geteuid(), str(foreign): os.geteuid() + 1}
    monkeypatch.setattr("valetkey._endpoint._owner_of", owners.get)
    for name in ("VALETKEY_SOCKET", "XDG_RUNTIME_DIR", "VALETKEY_STATE_DIR", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(own=own, foreign=foreign))
    assert find_endpoint() == expected.format(own=own)


def test_without_any_folder_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valetkey._endpoint._owner_of", lambda _folder: None)
    for name in ("VALETKEY_SOCKET", "XDG_RUNTIME_DIR", "VALETKEY_STATE_DIR", "XDG_STATE_HOME", "HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(valetkey.BrokerUnreachableError, match="set VALETKEY_SOCKET"):
        find_endpoint()
