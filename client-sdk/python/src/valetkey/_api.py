"""The broker's HTTP API as methods: one for each verb and path that is used here (``proto/src/v1/paths.rs``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ._transport import ApiError, Transport, default_transport


class App:
    """A client application, opened at its first use."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self._path: str | None = None
        self._transport: Transport | None = None

    def list_accounts(self, username: str | None) -> list[dict[str, Any]]:
        """``GET …/accounts``."""
        query = f"?{urlencode({'username': username})}" if username else ""
        accounts: list[dict[str, Any]] = self._request("GET", f"/accounts{query}")["accounts"]
        return accounts

    def remove_account(self, home_account_id: str) -> None:
        """``DELETE …/accounts/{home_account_id}``."""
        self._request("DELETE", f"/accounts/{quote(home_account_id, safe='')}")

    def acquire_token(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST …/token``."""
        return self._request("POST", "/token", request)

    def start_flow(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST …/flows``."""
        return self._request("POST", "/flows", request)

    def poll_flow(self, flow: str, wait: int) -> dict[str, Any]:
        """``GET /v1/flows/{flow}``; the broker answers within ``wait`` seconds, at once when the flow ends."""
        return self._reach().request("GET", f"{_path_of(flow)}?wait={wait}")

    def complete_flow(self, flow: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST /v1/flows/{flow}/complete``."""
        return self._reach().request("POST", f"{_path_of(flow)}/complete", request)

    def cancel_flow(self, flow: str) -> None:
        """``DELETE /v1/flows/{flow}``."""
        self._reach().request("DELETE", _path_of(flow))

    def _request(self, method: str, tail: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        path = self._path or self._open()
        try:
            return self._reach().request(method, path + tail, body)
        except ApiError as error:
            if error.code != "unknown_app":
                raise
        # The daemon was started anew since; the same definition opens the same application.
        return self._reach().request(method, self._open() + tail, body)

    def _open(self) -> str:
        app = self._reach().request("POST", "/v1/apps", self._definition)["app"]
        self._path = f"/v1/apps/{quote(app, safe='')}"
        return self._path

    def _reach(self) -> Transport:
        if self._transport is None:
            self._transport = default_transport()
        return self._transport


def _path_of(flow: str) -> str:
    return f"/v1/flows/{quote(flow, safe='')}"
