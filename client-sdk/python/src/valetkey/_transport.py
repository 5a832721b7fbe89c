"""Requests to the broker over kept-alive connections, from any number of threads and on both sides of a fork."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Callable, TypeVar

from ._autostart import connect_or_start
from ._connection import Answer, Connection, GoneError, NotRunningError
from ._endpoint import find_endpoint
from .exceptions import BrokerError, BrokerUnreachableError

logger = logging.getLogger(__name__)

#: Connections kept for later; a burst of threads opens more, which are closed after use.
_MAX_IDLE = 8

_WAITING = "valetkey waits for your answer, for 90 s at most: whether this program may use the account; %s"
_SEEN = "answer in the notification, or run `valetkey grants watch` in a terminal"
_UNSEEN = "no desktop shows you the question: run `valetkey grants watch` in a terminal, and answer there"

_encode = json.JSONEncoder(separators=(",", ":")).encode

Result = TypeVar("Result")


class ApiError(Exception):
    """The broker answered with an error body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body.get("error"))
        self.status = status
        self.body = body

    @property
    def code(self) -> str:
        """A code of ``proto/error-codes.md``, or the provider's."""
        return str(self.body["error"])


class _Pool:
    """The idle connections of one process. Appending to and popping from a deque is atomic."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.idle: deque[Connection] = deque()
        self.starting = threading.Lock()

    def take(self) -> Connection | None:
        try:
            return self.idle.pop()
        except IndexError:
            return None


class Line:
    """A connection, as long as one thread has it to itself."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Whether the connection can be kept for later.
        self.is_idle = True
        #: Whether all that was sent may be sent again when the broker hangs up.
        self.is_repeatable = True

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, is_repeatable: bool = False
    ) -> dict[str, Any]:
        """The JSON object that the broker answers; :class:`ApiError` for an error body."""
        content = b"" if body is None else _encode(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: valetkey\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        if not self.is_idle:
            # The broker announced that it closes this connection, so nothing has begun.
            raise GoneError
        self.is_idle, self.is_repeatable = False, is_repeatable or method == "GET"
        # What only reads waits for nobody's yes.
        on_silence = None if method == "GET" else self._tell_of_question
        answer = self.connection.exchange(head.encode("ascii") + content, on_silence)
        self.is_idle = answer.keeps_alive
        fields = self._parse(answer)
        if answer.status < HTTPStatus.BAD_REQUEST:
            return fields
        if not isinstance(fields.get("error"), str):
            raise self._incomprehensible(answer)
        raise ApiError(answer.status, fields)

    def _tell_of_question(self) -> bool:
        """Whether the person was told, in the log, that a question about this process waits for them."""
        try:
            other = Connection(self.connection.endpoint)
            try:
                asked = Line(other).request("GET", "/v1/prompts?wait=0")["prompts"]
            finally:
                other.close()
            meant = [prompt for prompt in asked if os.getpid() in prompt["processes"]]
        except (ApiError, BrokerError, NotRunningError, GoneError, LookupError, TypeError):
            # Not for this program to see.
            return True
        if meant:
            logger.warning(_WAITING, _SEEN if meant[0].get("seen") else _UNSEEN)
        return bool(meant)

    def _parse(self, answer: Answer) -> dict[str, Any]:
        if not answer.body and answer.status < HTTPStatus.BAD_REQUEST:
            return {}
        try:
            fields = json.loads(answer.body.decode())
        except ValueError:
            raise self._incomprehensible(answer) from None
        if not isinstance(fields, dict):
            raise self._incomprehensible(answer)
        return fields

    def _incomprehensible(self, answer: Answer) -> BrokerError:
        return BrokerError(
            f"talk to the broker at {self.connection.endpoint}: the answer (status {answer.status}) is no JSON object "
            "that this version understands; update the package and the daemon to the same release"
        )


class Transport:
    """The way to the broker at one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._own_pool = _Pool()

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, is_repeatable: bool = False
    ) -> dict[str, Any]:
        """The JSON object that the broker answers; :class:`ApiError` for an error body."""
        return self.converse(lambda line: line.request(method, path, body, is_repeatable=is_repeatable))

    def converse(self, talk: Callable[[Line], Result]) -> Result:
        """Requests that belong on one connection. ``talk`` has it to itself, and is called anew when that was closed.

        The daemon closes idle connections, or was started anew: no byte came back, so ask once more. A daemon that is
        just ending still takes new connections and closes them unheard: what may be repeated is asked of the next one.
        """
        pool = self._pool()
        idle = pool.take()
        if idle:
            try:
                return self._talk_over(Line(idle), talk, pool)
            except GoneError:
                logger.debug("connecting to %s again", self._endpoint)
        line = Line(self._connect(pool))
        try:
            return self._talk_over(line, talk, pool)
        except GoneError:
            if not line.is_repeatable:
                raise self._hung_up() from None
        try:
            return self._talk_over(Line(self._connect(pool)), talk, pool)
        except GoneError:
            raise self._hung_up() from None

    @staticmethod
    def _talk_over(line: Line, talk: Callable[[Line], Result], pool: _Pool) -> Result:
        try:
            return talk(line)
        finally:
            # Not after Ctrl-C in the middle: a late answer would be taken for that of the next request.
            if line.is_idle and len(pool.idle) < _MAX_IDLE:
                pool.idle.append(line.connection)
            else:
                line.connection.close()

    def _connect(self, pool: _Pool) -> Connection:
        try:
            return Connection(self._endpoint)
        except NotRunningError:
            with pool.starting:
                return connect_or_start(self._endpoint)

    def _pool(self) -> _Pool:
        pool = self._own_pool
        if pool.process != os.getpid():
            # The parent goes on using its connections; this closes the copies that the fork made.
            inherited, pool = pool, _Pool()
            self._own_pool = pool
            for connection in inherited.idle:
                connection.close()
        return pool

    def _hung_up(self) -> BrokerUnreachableError:
        return BrokerUnreachableError(
            f"talk to the broker at {self._endpoint}: it hung up without an answer; `valetkey status` may tell more"
        )


_transports: dict[str, Transport] = {}


def default_transport() -> Transport:
    """The transport to the endpoint that the environment names; all applications of a process share it."""
    endpoint = find_endpoint()
    known = _transports.get(endpoint)
    return known or _transports.setdefault(endpoint, Transport(endpoint))
