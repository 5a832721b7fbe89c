"""A token cache that the broker keeps apart for one object of this process, in the broker's memory."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from typing import Any, Callable, Protocol

logger = logging.getLogger(__name__)


class Opener(Protocol):
    """An application that was opened with the cache: the way to it (:class:`valetkey._api.App`)."""

    def get_cache(self) -> dict[str, Any]: ...

    def put_cache(self, cache: dict[str, Any]) -> dict[str, Any]: ...


class PrivateCache:
    """The cache's name, and what is known of its content. There is none in the broker before an application opens."""

    def __init__(self) -> None:
        #: Unguessable, since whoever knows it could name it.
        self.name = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._opener: Opener | None = None
        #: What the application has seen last, or put in.
        self._content: dict[str, Any] = {}
        #: Its version; 0 is that of a cache which nothing has changed yet.
        self._known = 0

    @property
    def opener(self) -> Opener | None:
        """The last application that opened with this cache."""
        return self._opener

    def on_opened(
        self, opener: Opener, get: Callable[[], dict[str, Any]], put: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        """Called each time that an application was opened, before it is used.

        Hands in what the broker does not have: what was put in before, or all of it when the broker was started anew. An
        application that saves its cache at its end would else save that there is nothing.
        """
        with self._lock:
            self._opener = opener
            if self._known and get()["version"] >= self._known:
                return
            self._known = put(self._content)["version"] if self._content else 0

    def read(self) -> dict[str, Any]:
        """The content, in MSAL's schema; from here on it counts as known."""
        with self._lock:
            opener = self._opener
            if opener is None:
                return self._content
        answer = opener.get_cache()
        self._content, self._known = answer["cache"], answer["version"]
        return self._content

    def replace(self, content: dict[str, Any]) -> None:
        """Puts another content in the place of all that is there."""
        with self._lock:
            opener = self._opener
            if opener is None:
                self._content = content
                return
        self._known = opener.put_cache(content)["version"]
        self._content = content

    def has_changed(self) -> bool:
        """Whether there is something that :meth:`read` and :meth:`replace` have not seen."""
        opener = self._opener
        return opener is not None and opener.get_cache()["version"] != self._known

    def forget_changes(self) -> None:
        """Counts all that is there as known."""
        self.read()


#: Caches whose objects are gone. A finalizer may run in the middle of anything, so it asks the broker for nothing.
_abandoned: deque[PrivateCache] = deque()


def abandon(cache: PrivateCache) -> None:
    """Leaves the cache to be dropped when the broker is talked to the next time."""
    _abandoned.append(cache)


def take_abandoned() -> PrivateCache | None:
    """A cache that nobody can use any more."""
    try:
        return _abandoned.popleft()
    except IndexError:
        return None
