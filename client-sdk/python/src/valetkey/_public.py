"""Public clients: what signs a person in, without a secret of the application's own."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from typing import Any, Callable

from ._arguments import check_keywords, extra_fields, prompt_text, scope_list, token_request, warn, without_none
from ._api import App
from ._client import ClientApplication
from ._flows import await_device_flow, run_interactive_flow, start_device_flow
from .auth_scheme import scheme_on_wire

_PAGE_PARAMETERS = ("display", "ui_locales", "id_token_hint", "acr_values")


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
        if client_credential is not None:
            raise ValueError("client_credential: a public client has none; construct a ConfidentialClientApplication")
        # No parameter of MSAL's: refresh and access tokens are bound to a key of the broker's (see ``valetkey.dpop``).
        self._wants_dpop = bool(kwargs.pop("dpop", False))
        # The flags choose Microsoft's brokers in MSAL; here every platform has the same one.
        super().__init__(client_id, **kwargs)

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
        address when no browser could be opened. In Azure Cloud Shell ``prompt="none"`` asks the shell, and nobody else.
        """
        shell = self._at_cloud_shell() if prompt == "none" else None
        if shell:
            return self._sign_in_at_cloud_shell(shell, scopes, kwargs)
        on_no_browser = kwargs.pop("auth_uri_callback", None)
        data = extra_fields(kwargs.pop("data", None))
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
            auth_scheme=scheme_on_wire(auth_scheme),
            data=data or None,
        )
        return run_interactive_flow(self._app, request, timeout, on_before_launching_ui, on_no_browser)

    def _sign_in_at_cloud_shell(
        self, shell: App, scopes: Collection[str], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        data = {"data": keywords["data"]} if "data" in keywords else {}
        return self._acquire(token_request("cloud_shell", scope_list(scopes), data), shell)

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
        data = extra_fields(kwargs.pop("data", None))
        check_keywords(kwargs)
        if claims_challenge:
            warn("claims_challenge has no effect here: give it to initiate_device_flow")
        return await_device_flow(self._app, flow, exit_condition, data)


def _has_expired(flow: Mapping[str, Any]) -> bool:
    return bool(flow.get("expires_at", 0) < time.time())
