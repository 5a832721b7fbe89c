"""A daemon that plays a script: the tests' other end of the socket."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """A request as it came over the socket."""

    method: str
    target: str
    body: Any
    connection: int


@dataclass
class Reply:
    """Bytes to send, as they are; and whether to hang up afterwards."""

    raw: bytes
    hang_up: bool = False


HANG_UP = Reply(b"", hang_up=True)


def answer(status: int, body: Any = None, headers: str = "") -> Reply:
    """A well-formed answer."""
    content = b"" if body is None else json.dumps(body).encode()
    return Reply(f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(content)}\r\n\r\n".encode() + content)


class Daemon:
    """Listens on a socket of its own and answers each request with what ``handle`` returns."""

    def __init__(self, handle: Callable[[Request], Reply], path: str | None = None) -> None:
        self._handle = handle
        self._folder = tempfile.mkdtemp(prefix="vk")
        self.path = path or os.path.join(self._folder, "broker.sock")
        self.requests: list[Request] = []
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Daemon:
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        shutil.rmtree(self._folder, ignore_errors=True)

    def hang_up(self) -> None:
        """Closes every open connection, as a daemon that is restarted does."""
        while self._open:
            peer = self._open.pop()
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            self._open.append(peer)
            threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        with peer, peer.makefile("rb") as lines:
            while True:
                try:
                    request = read_request(lines, number)
                except OSError:
                    return
                if request is None:
                    return
                self.requests.append(request)
                reply = self._handle(request)
                try:
                    peer.sendall(reply.raw)
                except OSError:
                    return
                if reply.hang_up:
                    # `with peer` alone would leave it open: the reader holds it as well.
                    peer.shutdown(socket.SHUT_RDWR)
                    return


def read_request(lines: Any, number: int) -> Request | None:
    """One request, or None when the client hung up."""
    start = lines.readline().decode()
    if not start:
        return None
    headers = {}
    while (line := lines.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    assert headers["host"] == "valetkey"
    content = lines.read(int(headers["content-length"]))
    method, target, _ = start.split(" ")
    return Request(method, target, json.loads(content) if content else None, number)


class Script:
    """Answers the requests of a vector's ``given`` in their order, and remembers what did not fit."""

    def __init__(self, given: list[dict[str, Any]]) -> None:
        self._given = list(given)
        self.complaints: list[str] = []

    def __call__(self, request: Request) -> Reply:
        if not self._given:
            return self._complain(f"unexpected {request.method} {request.target}")
        exchange = self._given.pop(0)
        complaint = mismatch(exchange["request"], request)
        if complaint:
            return self._complain(complaint)
        response = exchange["response"]
        return HANG_UP if response.get("hang_up") else answer(response["status"], response.get("body"))

    def unanswered(self) -> list[str]:
        """The requests that were to come and did not."""
        return [f"{e['request']['method']} {e['request']['path']}" for e in self._given]

    def _complain(self, complaint: str) -> Reply:
        self.complaints.append(complaint)
        return answer(400, {"error": "bad_request", "error_description": complaint, "correlation_id": ""})


def mismatch(expected: dict[str, Any], request: Request) -> str | None:
    """What differs between the request that a vector expects and the one that came."""
    parts = urlsplit(request.target)
    if (request.method, parts.path) != (expected["method"], expected["path"]):
        return f"{request.method} {parts.path} in place of {expected['method']} {expected['path']}"
    if "query" in expected and dict(parse_qsl(parts.query)) != expected["query"]:
        return f"query {parts.query}"
    if "body" not in expected:
        return None
    sent = request.body or {}
    wanted = expected["body"]
    others = {name: value for name, value in sent.items() if name not in wanted and not _is_default(name, value)}
    differing = {name: sent.get(name) for name in wanted if sent.get(name) != wanted[name]}
    return f"{parts.path}: differing {differing}, unexpected {others}" if differing or others else None


def _is_default(name: str, value: object) -> bool:
    return value in (None, False, [], {}) or (name, value) in (("kind", "public"), ("grant", "silent"))
