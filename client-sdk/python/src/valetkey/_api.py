"""The broker's HTTP API as methods: one for each verb and path that is used here (``proto/src/v1/paths.rs``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Callable
from urllib.parse import quote, urlencode

from ._private_cache import PrivateCache, take_abandoned
from ._transport import ApiError, Line, Transport, default_transport

#: How many times an application is opened again for one request.
_REOPENINGS = 3

logger = logging.getLogger(__name__)

MakeAssertion = Callable[[Mapping[str, Any]], str]


class App:
    """A client application, opened at its first use.

    A public one is then open to every program of the user. What has a credential or a cache of its own the broker ties
    to the connection that opened it, so it is opened once over each.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        make_assertion: MakeAssertion | None = None,
        private_cache: PrivateCache | None = None,
    ) -> None:
        self._definition = {**definition, "private_cache": private_cache.name} if private_cache else definition
        self._make_assertion = make_assertion
        self._private_cache = private_cache
        # A name may stand for an application with a credential.
        is_public = definition.get("kind", "public") == "public" and "name" not in definition
        self._is_shared = is_public and private_cache is None and "cloud_shell_endpoint" not in definition
        self._path: str | None = None
        self._transport: Transport | None = None

    def in_cloud_shell(self, endpoint: str) -> App:
        """The same application at this Cloud Shell; what that brings the broker keeps apart."""
        return App({**self._definition, "cloud_shell_endpoint": endpoint}, private_cache=self._private_cache)

    def describe(self) -> dict[str, Any]:
        """``POST /v1/apps``: opens it, and tells what it is."""
        return self._reach().converse(self._ask_to_open)

    def list_accounts(self, username: str | None) -> list[dict[str, Any]]:
        """``GET …/accounts``."""
        query = f"?{urlencode({'username': username})}" if username else ""
        accounts: list[dict[str, Any]] = self._request("GET", f"/accounts{query}")["accounts"]
        return accounts

    def remove_account(self, home_account_id: str) -> None:
        """``DELETE …/accounts/{home_account_id}``."""
        self._request("DELETE", f"/accounts/{quote(home_account_id, safe='')}")

    def remove_tokens(self) -> None:
        """``DELETE …/tokens``: the application's own."""
        self._request("DELETE", "/tokens")

    def get_cache(self) -> dict[str, Any]:
        """``GET …/cache``: its ``version`` and, in MSAL's schema, the ``cache``."""
        return self._request("GET", "/cache")

    def put_cache(self, cache: Mapping[str, Any]) -> dict[str, Any]:
        """``PUT …/cache``; the new ``version``."""
        return self._request("PUT", "/cache", {"cache": cache}, is_repeatable=True)

    def acquire_token(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST …/token``."""
        # Silent is the default, and brings the same however often it is asked.
        is_repeatable = request.get("grant", "silent") == "silent"
        return self._with_assertion(
            request, lambda body: self._request("POST", "/token", body, is_repeatable=is_repeatable)
        )

    def sign_proof(self, access_token: str, http_method: str, url: str, nonce: str | None) -> str:
        """``POST …/proofs``."""
        request = {"access_token": access_token, "http_method": http_method, "url": url}
        if nonce is not None:
            request["nonce"] = nonce
        proof: str = self._request("POST", "/proofs", request, is_repeatable=True)["proof"]
        return proof

    def start_flow(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST …/flows``."""
        return self._request("POST", "/flows", request)

    def poll_flow(self, flow: str, wait: int) -> dict[str, Any]:
        """``GET /v1/flows/{flow}``; the broker answers within ``wait`` seconds, at once when the flow ends."""
        return self._request_of_flow("GET", f"{_path_of(flow)}?wait={wait}")

    def complete_flow(self, flow: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """``POST /v1/flows/{flow}/complete``."""
        return self._with_assertion(
            request, lambda body: self._request_of_flow("POST", f"{_path_of(flow)}/complete", body)
        )

    def cancel_flow(self, flow: str) -> None:
        """``DELETE /v1/flows/{flow}``."""
        self._request_of_flow("DELETE", _path_of(flow))

    def _with_assertion(
        self, request: Mapping[str, Any], send: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Sends the request; again with a client assertion of the application's, when the broker asks for one."""
        try:
            return send(request)
        except ApiError as error:
            if error.code != "client_assertion_needed" or self._make_assertion is None:
                raise
            asked = error.body
        # Out of the handler: what the application's function raises shall not look like a consequence of the question.
        return send({**request, "client_assertion": self._make_assertion(asked)})

    def _request(
        self, method: str, tail: str, body: Mapping[str, Any] | None = None, *, is_repeatable: bool = False
    ) -> dict[str, Any]:
        def talk(line: Line) -> dict[str, Any]:
            path = self._opened_over(line) or self._open(line)
            for _ in range(_REOPENINGS):
                try:
                    return line.request(method, path + tail, body, is_repeatable=is_repeatable)
                except ApiError as error:
                    if error.code != "unknown_app":
                        raise
                # The daemon was started anew since, or what the configuration says has changed, and may change again meanwhile;
                # the same definition opens the same application.
                path = self._open(line)
            return line.request(method, path + tail, body, is_repeatable=is_repeatable)

        if self._path is None:
            # By itself: what follows may not be repeatable, and this is.
            self._reach().converse(self._open)
        return self._reach().converse(talk)

    def _request_of_flow(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A flow's id finds it, where the application whose flow it is could be used as well."""

        def talk(line: Line) -> dict[str, Any]:
            if not self._is_shared and not self._opened_over(line):
                self._open(line)
            return line.request(method, path, body)

        return self._reach().converse(talk)

    def _opened_over(self, line: Line) -> str | None:
        return self._path if self._is_shared or self in line.connection.opened else None

    def _open(self, line: Line) -> str:
        while abandoned := take_abandoned():
            if isinstance(abandoned.opener, App):
                abandoned.opener._close(line)
        path = self._open_over(line)
        if self._private_cache:
            self._private_cache.on_opened(
                self,
                lambda: line.request("GET", f"{path}/cache"),
                lambda cache: line.request("PUT", f"{path}/cache", {"cache": cache}, is_repeatable=True),
            )
        line.connection.opened.add(self)
        return path

    def _open_over(self, line: Line) -> str:
        self._path = path = f"/v1/apps/{quote(self._ask_to_open(line)['app'], safe='')}"
        return path

    def _ask_to_open(self, line: Line) -> dict[str, Any]:
        return line.request("POST", "/v1/apps", self._definition, is_repeatable=True)

    def _close(self, line: Line) -> None:
        try:
            # Only what was opened over a connection can be closed over it.
            line.request("DELETE", self._open_over(line), is_repeatable=True)
        except ApiError as error:
            logger.debug("an application that nobody uses any more could not be closed: %s", error)

    def _reach(self) -> Transport:
        if self._transport is None:
            self._transport = default_transport()
        return self._transport


def _path_of(flow: str) -> str:
    return f"/v1/flows/{quote(flow, safe='')}"
