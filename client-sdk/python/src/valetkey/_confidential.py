"""Confidential clients: services that prove who they are, and ask for themselves or for a user who called them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ._arguments import assert_list, scope_list, token_request, warn
from ._client import ClientApplication
from ._errors import raise_fault, refusal_of
from ._transport import ApiError

#: Tenants that stand for several; an application's own token is one tenant's.
_SEVERAL_TENANTS = frozenset({"common", "organizations"})


class ConfidentialClientApplication(ClientApplication):
    """An application with a credential of its own: a web application, a web API, a daemon."""

    def acquire_token_for_client(
        self,
        scopes: list[str],
        claims_challenge: str | None = None,
        fmi_path: str | None = None,
        forwarded_client_claims: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The application's own token, from the cache when it has one that is good. ``scopes`` end in ``/.default``."""
        if kwargs.pop("force_refresh", False):
            raise ValueError(
                "force_refresh: this call has none; a token is as good from the cache as from the provider"
            )
        if fmi_path is not None and not isinstance(fmi_path, str):
            raise ValueError(f"fmi_path must be a text, not {type(fmi_path).__name__}")
        assert_list(scopes)
        if self.authority.tenant.lower() in _SEVERAL_TENANTS:
            warn(
                f"an application's own token is one tenant's: name it in authority, in the place of "
                f"{self.authority.tenant}",
                DeprecationWarning,
            )
        kwargs["data"] = data = dict(kwargs.get("data") or {})
        # Applications gave it so before MSAL had the parameter.
        fmi_path = fmi_path or data.pop("fmi_path", None)
        request = token_request(
            "client_credentials",
            scopes,
            kwargs,
            claims_challenge=claims_challenge,
            forwarded_client_claims=forwarded_client_claims,
            fmi_path=fmi_path,
        )
        try:
            return self._app.acquire_token(request)
        except ApiError as error:
            return refusal_of(error)

    def remove_tokens_for_client(self) -> None:
        """Forgets the tokens that :meth:`acquire_token_for_client` brought."""
        try:
            self._app.remove_tokens()
        except ApiError as error:
            raise_fault(error)

    def acquire_token_on_behalf_of(
        self,
        user_assertion: str | None,
        scopes: Collection[str],
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """A token for another API, for the user whose token the application was called with.

        Beyond MSAL: with ``session_key``, a text of the application's own, the user's session is kept under it, and a
        process that runs on after the user has gone continues with ``user_assertion=None`` and the same key.
        """
        session_key = kwargs.pop("session_key", None)
        if not user_assertion and not session_key:
            raise ValueError("user_assertion is needed, or the session_key of a process that began with one")
        request = token_request(
            "on_behalf_of",
            scope_list(scopes),
            kwargs,
            claims_challenge=claims_challenge,
            forwarded_client_claims=forwarded_client_claims,
            user_assertion=user_assertion or None,
            session_key=session_key,
        )
        return self._acquire(request)

    def acquire_token_by_user_federated_identity_credential(
        self,
        scopes: Collection[str],
        assertion: str,
        username: str | None = None,
        user_object_id: str | None = None,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """A user's token for a federated credential, for Entra's agent identities."""
        if not assertion:
            raise ValueError("assertion is needed")
        if bool(username) == bool(user_object_id):
            raise ValueError("give either username or user_object_id")
        request = token_request(
            "user_federated_credential",
            scope_list(scopes),
            kwargs,
            claims_challenge=claims_challenge,
            forwarded_client_claims=forwarded_client_claims,
            federated_credential=assertion,
            username=username or None,
            user_object_id=user_object_id or None,
        )
        return self._acquire(request)

    def _is_confidential(self, client_credential: object) -> bool:
        return True
