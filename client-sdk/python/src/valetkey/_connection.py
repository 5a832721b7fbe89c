"""One connection to the broker: who listens there, and HTTP/1.1 by hand.

The standard library's HTTP client parses headers as e-mail, which alone takes as long as the broker's whole answer.
This reads what the broker sends (status line, ``Content-Length``, body) and refuses everything else.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from io import FileIO
from typing import Callable
from weakref import WeakSet

from ._endpoint import is_pipe, keeper_of
from .exceptions import BrokerUnreachableError

#: Longer than the longest wait of a long poll, and than the broker gives any provider to answer.
_PATIENCE_SECONDS = 120
#: After this it is worth a look why nothing comes.
_SILENCE_SECONDS = 1
_CHUNK = 64 * 1024
_MAX_HEAD = 64 * 1024
_MAX_BODY = 64 * 1024 * 1024
_NO_CONTENT = 204

# winerror.h
_ERROR_PIPE_BUSY = 231
_BUSY_SECONDS, _BUSY_PAUSE_SECONDS = 10.0, 0.005
# <sys/un.h> of macOS and the BSDs; Python has no names for them.
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE = 0, 1, 76


class NotRunningError(Exception):
    """Nobody listens at the endpoint."""


class GoneError(Exception):
    """The broker closed the connection before the first byte of an answer."""


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    keeps_alive: bool


class Connection:
    """A connection to a broker that runs as this user or as the system."""

    def __init__(self, endpoint: str) -> None:
        #: The path of a socket, or a pipe's name.
        self.endpoint = endpoint
        #: The applications that were opened over it, where the broker lets no other connection use them.
        self.opened: WeakSet[object] = WeakSet()
        self._peer: FileIO | socket.socket | None = None
        self._send: Callable[[bytes], object]
        self._receive: Callable[[int], bytes]
        try:
            if is_pipe(endpoint):
                self._peer = pipe = _open_pipe(endpoint)
                self._send, self._receive = pipe.write, pipe.read
            else:
                self._peer = peer = _connect(endpoint)
                self._send, self._receive = peer.sendall, peer.recv
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(endpoint) from error
        except BrokerUnreachableError:
            raise
        except PermissionError as error:
            advice = "the socket is another user's; set VALETKEY_SOCKET to a socket in a folder of your own"
            raise self._trouble(f"cannot connect: {error}; {advice}") from error
        except OSError as error:
            raise self._trouble(f"cannot connect: {error}") from error

    def close(self) -> None:
        """Closes it; more than once does no harm."""
        if self._peer is not None:
            self._peer.close()

    def __del__(self) -> None:
        # Idle connections end with the process; an interpreter in development mode would complain of each.
        self.close()

    def exchange(self, request: bytes, on_silence: Callable[[], bool] | None = None) -> Answer:
        """Sends a request and reads its answer. After an exception the connection is of no more use.

        While nothing comes, ``on_silence`` is called each second, until it returns true.
        """
        try:
            self._send(request)
            if on_silence is not None:
                self._await_answer(on_silence)
            data = self._receive(_CHUNK)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise GoneError(self.endpoint) from error
        except OSError as error:
            raise self._trouble(f"no answer: {error}; `valetkey status` may tell more") from error
        if not data:
            raise GoneError(self.endpoint)
        return self._read_answer(data)

    def _await_answer(self, on_silence: Callable[[], bool]) -> None:
        if not isinstance(self._peer, socket.socket) or sys.platform == "win32":
            # A pipe's file cannot be waited for.
            return
        poller = select.poll()
        poller.register(self._peer, select.POLLIN)
        for _ in range(int(_PATIENCE_SECONDS / _SILENCE_SECONDS)):
            if poller.poll(_SILENCE_SECONDS * 1000) or on_silence():
                return

    def _read_answer(self, data: bytes) -> Answer:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > _MAX_HEAD:
                raise self._trouble("what answers there does not speak HTTP")
            data += self._more()
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
            raise self._trouble("what answers there does not speak HTTP")
        status = int(head[9:12])
        length = self._content_length(head, status)
        body = data[end + 4 :]
        if len(body) < length:
            body = self._read_rest(bytearray(body), length)
        if len(body) > length:
            raise self._trouble("the answer is longer than announced")
        return Answer(status, body, b"\r\nconnection: close" not in head)

    def _content_length(self, head: bytes, status: int) -> int:
        if b"\r\ntransfer-encoding:" in head:
            raise self._trouble("the answer comes in chunks, which this client does not read")
        _, found, rest = head.partition(b"\r\ncontent-length:")
        if not found and status == _NO_CONTENT:
            return 0
        length, _, others = rest.partition(b"\r\n")
        length = length.strip()
        # Two lengths would leave it to chance where the next answer begins (RFC 9112 section 6.3).
        if not length.isdigit() or b"content-length:" in others:
            raise self._trouble("the answer does not tell its length")
        if int(length) > _MAX_BODY:
            raise self._trouble("the answer is absurdly long")
        return int(length)

    def _read_rest(self, body: bytearray, length: int) -> bytes:
        while len(body) < length:
            body += self._more()
        return bytes(body)

    def _more(self) -> bytes:
        try:
            data = self._receive(_CHUNK)
        except OSError as error:
            raise self._trouble(f"the answer broke off: {error}") from error
        if not data:
            raise self._trouble("the answer broke off")
        return bytes(data)

    def _trouble(self, what: str) -> BrokerUnreachableError:
        return BrokerUnreachableError(f"talk to the broker at {self.endpoint}: {what}")


def _open_pipe(endpoint: str) -> FileIO:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return open(endpoint, "r+b", buffering=0)
        except OSError as error:
            # Between two clients there is a moment without a free instance of the pipe.
            if getattr(error, "winerror", None) != _ERROR_PIPE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)


def _connect(endpoint: str) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Blocking: with a time-out set, Linux fails at once when the queue of the listener is full.
        peer.connect(endpoint)
        _verify_server(peer, endpoint)
        peer.settimeout(_PATIENCE_SECONDS)
    except BaseException:
        peer.close()
        raise
    return peer


def _verify_server(peer: socket.socket, endpoint: str) -> None:
    """Not a byte is sent before it is known who listens: this user, the system's own service manager, or the user to whom root
    gave the socket's folder."""
    user = _listening_user(peer)
    if user not in (os.geteuid(), 0) and user != keeper_of(os.path.dirname(endpoint)):
        raise BrokerUnreachableError(
            f"connect to {endpoint}: user {user} listens there, who is neither you nor the system; "
            "nothing was sent; set VALETKEY_SOCKET to a socket in a folder of your own"
        )


def _listening_user(peer: socket.socket) -> int:
    if sys.platform == "linux":
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    credentials = peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
    return int(struct.unpack_from("2I", credentials)[1])
