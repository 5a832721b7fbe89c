"""Token caches. Tokens are in the broker; these objects say which of its caches an application uses."""

from __future__ import annotations

import json
import weakref
from typing import Any

from ._errors import raise_fault
from ._private_cache import PrivateCache, abandon
from ._transport import ApiError


class TokenCache:
    """A cache of this object's own: its applications share tokens with each other and with nobody else.

    It is in the broker's memory until the object or the program ends. An application that is given none uses the cache
    that all programs of the user share, which is encrypted on disk.
    """

    class CredentialType:
        """Kinds of entries of MSAL's unified cache schema."""

        ACCESS_TOKEN = "AccessToken"
        REFRESH_TOKEN = "RefreshToken"
        ACCOUNT = "Account"
        ID_TOKEN = "IdToken"
        APP_METADATA = "AppMetadata"

    class AuthorityType:
        """Kinds of authorities of MSAL's unified cache schema."""

        ADFS = "ADFS"
        MSSTS = "MSSTS"

    def __init__(self) -> None:
        self._private: PrivateCache | None = PrivateCache()
        weakref.finalize(self, abandon, self._private).atexit = False


class SharedTokenCache(TokenCache):
    """The cache that all programs of the user share."""

    def __init__(self) -> None:
        self._private = None


class SerializableTokenCache(TokenCache):
    """A cache of this object's own that the application keeps: as text, in MSAL's schema."""

    _private: PrivateCache

    def serialize(self) -> str:
        """The content, to be kept safe: it has refresh tokens."""
        try:
            return json.dumps(self._private.read(), indent=4)
        except ApiError as error:
            raise_fault(error)

    def deserialize(self, state: str | None) -> None:
        """Replaces the content by that of an earlier :meth:`serialize`, of MSAL's too; falsy means empty."""
        content: Any = json.loads(state) if state else {}
        if not isinstance(content, dict):
            raise ValueError("state is no token cache: it must be a JSON object")
        try:
            self._private.replace(content)
        except ApiError as error:
            raise_fault(error)

    @property
    def has_state_changed(self) -> bool:
        """Whether the content differs from what was last serialized or deserialized."""
        try:
            return self._private.has_changed()
        except ApiError as error:
            raise_fault(error)

    @has_state_changed.setter
    def has_state_changed(self, value: bool) -> None:
        # Applications that save in their own way reset it; there is nothing to gain by setting it.
        if not value:
            try:
                self._private.forget_changes()
            except ApiError as error:
                raise_fault(error)
