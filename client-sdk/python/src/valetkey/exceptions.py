"""Exceptions: MSAL's names, and what can go wrong between this process and the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MsalError(Exception):
    """Base of the errors of a provider's service."""


class MsalServiceError(MsalError):
    """The provider answered with a server error, or broke the protocol; try later."""

    def __init__(self, *args: object, error: str, error_description: str, **kwargs: Any) -> None:
        super().__init__(f"{error}: {error_description}", *args)
        self._error = error
        self._error_description = error_description


class ProviderUnreachableError(ConnectionError):
    """The provider cannot be reached. An ``OSError``, as are the transport errors that MSAL lets through."""


class IdTokenError(RuntimeError):
    """The ID token is not the one that this sign-in asked for; nothing was stored."""

    def __init__(self, reason: str, now: float | None = None, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.now = now
        self.claims = claims


class BrowserInteractionTimeoutError(RuntimeError):
    """The person did not finish in time."""


class BrokerError(RuntimeError):
    """The broker cannot serve: its store is locked or full, or it is defective. The text says what to do."""

    def __init__(self, text: str, *, error: str = "", correlation_id: str = "") -> None:
        super().__init__(text)
        #: The code, as in ``proto/error-codes.md``; empty when there was no answer to take one from.
        self.error = error
        #: Find the request in the broker's log by it.
        self.correlation_id = correlation_id


class BrokerUnreachableError(BrokerError, ConnectionError):
    """There is no broker to talk to, or it hung up; also an ``OSError``."""
