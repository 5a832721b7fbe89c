"""Token caches. The broker keeps the one that counts; these let an application that brings one run unchanged."""

from __future__ import annotations


class TokenCache:
    """Stands for the broker's shared cache. No token is in this process, so there is nothing here to search."""

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


class SerializableTokenCache(TokenCache):
    """Keeps the text that it was given, and gives it back unchanged.

    An application that loads and saves its own cache file therefore leaves that file as it was, ready for
    ``valetkey cache import``; it never changes, since new tokens go to the broker.
    """

    has_state_changed = False

    def __init__(self) -> None:
        self._text: str | None = None

    def serialize(self) -> str:
        """The text that was given to :meth:`deserialize`, else an empty cache's."""
        return self._text or "{}"

    def deserialize(self, state: str | None) -> None:
        """Keeps the text; its tokens are not used."""
        self._text = state
