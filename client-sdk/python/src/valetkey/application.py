"""Client applications, with MSAL's classes, names and signatures."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Mapping
from typing import Any, Callable

from ._api import App
from ._arguments import (
    check_application,
    check_keywords,
    definition_of,
    prompt_text,
    refuse_auth_scheme,
    scope_list,
    warn,
    warn_of_what_stays_here,
    without_none,
)
from ._errors import raise_fault, refusal_of
from ._flows import (
    await_device_flow,
    finish_auth_code_flow,
    run_interactive_flow,
    start_auth_code_flow,
    start_device_flow,
)
from ._transport import ApiError
from .authority import AuthorityBuilder, authority_of
from .token_cache import TokenCache

logger = logging.getLogger(__name__)

_ACCOUNT_MEMBERS = (
    "home_account_id", "environment", "username", "account_source", "authority_type", "local_account_id", "realm",
)  # fmt: skip
_PAGE_PARAMETERS = ("display", "ui_locales", "id_token_hint", "acr_values")


class ClientApplication:
    """An application that signs users in. Construct a :class:`PublicClientApplication`.

    Construction opens nothing: the broker is contacted, and started if need be, at the first call.
    """

    def __init__(
        self,
        client_id: str,
        client_credential: None = None,
        authority: str | AuthorityBuilder | None = None,
        validate_authority: bool = True,
        token_cache: TokenCache | None = None,
        http_client: Any = None,
        verify: Any = True,
        proxies: Any = None,
        timeout: Any = None,
        client_claims: Mapping[str, Any] | None = None,
        app_name: str | None = None,
        app_version: str | None = None,
        client_capabilities: list[str] | None = None,
        azure_region: str | bool | None = None,
        exclude_scopes: list[str] | None = None,
        http_cache: Any = None,
        instance_discovery: bool | str | None = None,
        allow_broker: bool | None = None,
        enable_pii_log: bool | None = None,
        oidc_authority: str | None = None,
    ) -> None:
        # client_claims, azure_region and enable_pii_log touch confidential clients and other brokers alone.
        check_application(client_credential, exclude_scopes, azure_region, allow_broker)
        self.client_id = client_id
        self.app_name = app_name
        self.app_version = app_version
        self.authority = authority_of(authority, oidc_authority)
        self.token_cache = token_cache if token_cache is not None else TokenCache()
        warn_of_what_stays_here(
            token_cache,
            {
                "http_client": http_client,
                "verify": None if verify is True else verify,
                "proxies": proxies,
                "timeout": timeout,
                "http_cache": http_cache,
            },
        )
        self._app = App(
            definition_of(
                client_id=client_id,
                authority=authority,
                oidc_authority=oidc_authority,
                validate_authority=validate_authority,
                instance_discovery=instance_discovery,
                client_capabilities=client_capabilities,
                exclude_scopes=exclude_scopes,
                app_name=app_name,
                app_version=app_version,
            )
        )

    def is_pop_supported(self) -> bool:
        """Whether proof-of-possession tokens can be had: the broker issues bearer tokens."""
        return False

    def get_accounts(self, username: str | None = None) -> list[dict[str, Any]]:
        """Who has signed in; ``username`` filters, without regard to case."""
        try:
            accounts = self._app.list_accounts(username)
        except ApiError as error:
            raise_fault(error)
        return [{name: account.get(name) for name in _ACCOUNT_MEMBERS} for account in accounts]

    def remove_account(self, account: Mapping[str, Any]) -> None:
        """Signs an account out: forgets its tokens. Whoever is not there is signed out already."""
        try:
            self._app.remove_account(account["home_account_id"])
        except ApiError as error:
            if error.code != "unknown_account":
                raise_fault(error)

    def acquire_token_silent(
        self,
        scopes: list[str],
        account: Mapping[str, Any] | None,
        authority: str | None = None,
        force_refresh: bool = False,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any] | None:
        """A token without asking the person, or None when only a sign-in can bring one."""
        result = self.acquire_token_silent_with_error(
            scopes, account, authority, force_refresh, claims_challenge, forwarded_client_claims, auth_scheme, **kwargs
        )
        return result if result and "error" not in result else None

    def acquire_token_silent_with_error(
        self,
        scopes: list[str],
        account: Mapping[str, Any] | None,
        authority: str | None = None,
        force_refresh: bool = False,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any] | None:
        """As :meth:`acquire_token_silent`; a refusal is a dictionary, with ``classification`` for a suberror."""
        if not account:
            return None
        if not isinstance(scopes, list):
            raise AssertionError("scopes must be a list of strings")
        refuse_auth_scheme(auth_scheme)
        check_keywords({**kwargs, "forwarded_client_claims": forwarded_client_claims})
        if authority:
            warn("authority has no effect here: the application's own is used")
        request: dict[str, Any] = {"scopes": scopes, "account": account["home_account_id"]}
        if force_refresh:
            request["force_refresh"] = True
        if claims_challenge:
            request["claims_challenge"] = claims_challenge
        try:
            return self._app.acquire_token(request)
        except ApiError as error:
            if error.code in ("sign_in_needed", "unknown_account"):
                logger.debug("nothing in the cache; correlation id %s", error.body.get("correlation_id"))
                return None
            return refusal_of(error)

    def initiate_auth_code_flow(
        self,
        scopes: Collection[str],
        redirect_uri: str | None = None,
        state: str | None = None,
        prompt: str | Collection[str] | None = None,
        login_hint: str | None = None,
        domain_hint: str | None = None,
        claims_challenge: str | None = None,
        max_age: int | None = None,
        response_mode: str | None = None,
    ) -> dict[str, Any]:
        """Starts a sign-in whose redirect the application receives; keep the result until then, as in a web session."""
        request = without_none(
            kind="auth_code",
            scopes=scope_list(scopes),
            redirect_uri=redirect_uri,
            state=state,
            prompt=prompt_text(prompt),
            login_hint=login_hint,
            domain_hint=domain_hint,
            claims_challenge=claims_challenge,
            max_age=max_age,
            response_mode=response_mode,
        )
        try:
            return start_auth_code_flow(self._app, request)
        except ApiError as error:
            raise_fault(error)

    def acquire_token_by_auth_code_flow(
        self,
        auth_code_flow: dict[str, Any],
        auth_response: Mapping[str, str],
        scopes: Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The token for a redirect's parameters. ``ValueError`` when they do not belong to this flow."""
        if not isinstance(auth_response, dict):
            raise AssertionError("auth_response must be a dict")
        check_keywords(kwargs)
        subset = None if scopes is None else scope_list(scopes)
        return finish_auth_code_flow(self._app, auth_code_flow, auth_response, subset)


class PublicClientApplication(ClientApplication):
    """An application without a secret of its own: a desktop program, a command line, a plugin."""

    DEVICE_FLOW_CORRELATION_ID = "_correlation_id"
    #: MSAL's mark for "the window of this console"; a browser needs no parent.
    CONSOLE_WINDOW_HANDLE = object()

    def __init__(
        self,
        client_id: str,
        client_credential: None = None,
        *,
        enable_broker_on_windows: bool | None = None,
        enable_broker_on_mac: bool | None = None,
        enable_broker_on_linux: bool | None = None,
        enable_broker_on_wsl: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # The flags choose Microsoft's brokers in MSAL; here every platform has the same one.
        super().__init__(client_id, client_credential, **kwargs)

    def acquire_token_interactive(
        self,
        scopes: Collection[str],
        prompt: str | Collection[str] | None = None,
        login_hint: str | None = None,
        domain_hint: str | None = None,
        claims_challenge: str | None = None,
        timeout: float | None = None,
        port: int | None = None,
        extra_scopes_to_consent: Collection[str] | None = None,
        max_age: int | None = None,
        parent_window_handle: object = None,
        on_before_launching_ui: Callable[..., object] | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Signs a person in with the browser of this desktop session, and waits.

        Several programs that need the same sign-in share one window. ``auth_uri_callback`` is called with the page's
        address when no browser could be opened.
        """
        refuse_auth_scheme(auth_scheme)
        on_no_browser = kwargs.pop("auth_uri_callback", None)
        params = without_none(**{name: kwargs.pop(name, None) for name in _PAGE_PARAMETERS})
        check_keywords(kwargs)
        request = without_none(
            kind="interactive",
            scopes=scope_list(scopes or []),
            prompt=prompt_text(prompt),
            login_hint=login_hint,
            domain_hint=domain_hint,
            claims_challenge=claims_challenge,
            timeout=None if timeout is None else max(1, math.ceil(timeout)),
            port=port or None,
            extra_scopes_to_consent=scope_list(extra_scopes_to_consent) if extra_scopes_to_consent else None,
            max_age=max_age,
            params=params or None,
        )
        return run_interactive_flow(self._app, request, timeout, on_before_launching_ui, on_no_browser)

    def initiate_device_flow(
        self, scopes: Collection[str] | None = None, *, claims_challenge: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Starts a sign-in that the person finishes in a browser anywhere; show them ``message``."""
        check_keywords(kwargs)
        request = without_none(kind="device_code", scopes=scope_list(scopes or []), claims_challenge=claims_challenge)
        return start_device_flow(self._app, request, self.DEVICE_FLOW_CORRELATION_ID)

    def acquire_token_by_device_flow(
        self, flow: dict[str, Any], claims_challenge: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Waits for the person, until ``exit_condition(flow)`` or ``flow["expires_at"] = 0`` from another thread."""
        exit_condition = kwargs.pop("exit_condition", _has_expired)
        check_keywords(kwargs)
        if claims_challenge:
            warn("claims_challenge has no effect here: give it to initiate_device_flow")
        return await_device_flow(self._app, flow, exit_condition)


def _has_expired(flow: Mapping[str, Any]) -> bool:
    return bool(flow.get("expires_at", 0) < time.time())
