"""Waiting for a person: device code, redirect and loopback flows."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable

from ._api import App
from ._browser import open_sign_in_page
from ._errors import refusal_in, refusal_of, unclassified
from ._transport import ApiError
from .exceptions import BrokerError, BrowserInteractionTimeoutError

logger = logging.getLogger(__name__)

#: Where the flow dictionary of the authorization code flow keeps the broker's id; verifier and nonce stay there.
FLOW_ID = "_valetkey_flow"
#: Where a device flow's dictionary keeps the form fields that were added to it.
_FLOW_DATA = "_valetkey_data"

# RFC 8628 section 3.2 for the interval; MSAL's for the other.
_DEFAULT_INTERVAL, _DEFAULT_LIFETIME = 5, 1800
#: Seconds of one long poll: an exit condition is looked at about as often as MSAL does.
_DEVICE_WAIT = 1
#: On Windows Ctrl-C takes effect between two reads of the pipe only.
_BROWSER_WAIT = 5
_TOO_LATE = "the person did not finish the sign-in in time"


def start_device_flow(app: App, request: Mapping[str, Any], correlation_key: str) -> dict[str, Any]:
    """MSAL's flow dictionary; ``device_code`` is the broker's flow id, since the real one stays there."""
    try:
        flow = app.start_flow(request)
    except ApiError as error:
        refusal = unclassified(refusal_of(error))
        return {**_with_times(refusal, None), correlation_key: refusal.get("correlation_id")}
    fields = _with_times(flow.get("device") or {}, flow["expires_at"])
    return {**fields, "device_code": flow["flow"], correlation_key: flow["correlation_id"]}


def await_device_flow(
    app: App, flow: dict[str, Any], exit_condition: Callable[[Any], object], data: Mapping[str, str]
) -> dict[str, Any]:
    """The result of a device flow; what is pending when the exit condition holds."""
    try:
        if data and flow.get(_FLOW_DATA) != data:
            app.complete_flow(flow["device_code"], {"data": data})
            # Whoever waits again and again says it again and again.
            flow[_FLOW_DATA] = data
        with _cancelled_by_interrupts(app, flow["device_code"]):
            status = _await_device(app, flow, exit_condition)
    except ApiError as error:
        return unclassified(refusal_of(error))
    if status["state"] != "pending":
        return _outcome(status)
    return {
        "error": "authorization_pending",
        "error_description": "the person has not finished the sign-in yet",
        "correlation_id": status["correlation_id"],
    }


def _await_device(app: App, flow: Mapping[str, Any], exit_condition: Callable[[Any], object]) -> dict[str, Any]:
    status = app.poll_flow(flow["device_code"], 0)
    while status["state"] == "pending" and not exit_condition(flow):
        status = app.poll_flow(flow["device_code"], _DEVICE_WAIT)
    return status


def start_auth_code_flow(app: App, request: Mapping[str, Any]) -> dict[str, Any]:
    """MSAL's flow dictionary, which an application may keep in its web session."""
    flow = app.start_flow(request)
    begun = {
        "state": flow["auth_state"],
        "redirect_uri": flow.get("redirect_uri", request.get("redirect_uri")),
        "scope": (flow.get("scope") or "").split(),
        "auth_uri": flow["auth_uri"],
        "claims_challenge": request.get("claims_challenge"),
        FLOW_ID: flow["flow"],
    }
    return {**begun, "max_age": request["max_age"]} if "max_age" in request else begun


def finish_auth_code_flow(
    app: App,
    flow: Mapping[str, Any],
    auth_response: Mapping[str, str],
    scopes: list[str] | None,
    data: Mapping[str, str],
) -> dict[str, Any]:
    """Hands the redirect's parameters in; the broker compares ``state``, ``iss`` and nonce, and redeems the code."""
    if FLOW_ID not in flow:
        raise ValueError("auth_code_flow does not come from initiate_auth_code_flow of this package")
    # Indexing, and not items(): a web framework's multi-valued mapping then gives one value for each name.
    request: dict[str, Any] = {"auth_response": {name: auth_response[name] for name in auth_response}}
    if scopes is not None:
        request["scopes"] = scopes
    if data:
        request["data"] = data
    try:
        outcome = _outcome(app.complete_flow(flow[FLOW_ID], request))
    except ApiError as error:
        outcome = unclassified(refusal_of(error))
    if "error" in outcome and "code" not in auth_response:
        # Whatever else a redirect carries was written by whoever made the link.
        told = ("error", "error_description", "error_uri")
        return {name: outcome[name] for name in told if name in outcome}
    return outcome


def run_interactive_flow(
    app: App,
    request: Mapping[str, Any],
    timeout: float | None,
    on_before_launching_ui: Callable[..., object] | None,
    on_no_browser: Callable[[str], object] | None,
) -> dict[str, Any]:
    """Starts the flow, opens its page and waits for the redirect, which the broker listens for."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        flow: Mapping[str, Any] = app.start_flow(request)
        if flow["state"] == "pending":
            flow = _await_redirect_of(app, flow, deadline, on_before_launching_ui, on_no_browser)
        outcome = _outcome(flow)
    except ApiError as error:
        outcome = unclassified(refusal_of(error))
    if outcome.get("error") == "flow_timed_out":
        raise BrowserInteractionTimeoutError(_TOO_LATE)
    return outcome


def _await_redirect_of(
    app: App,
    flow: Mapping[str, Any],
    deadline: float | None,
    on_before_launching_ui: Callable[..., object] | None,
    on_no_browser: Callable[[str], object] | None,
) -> Mapping[str, Any]:
    with _cancelled_by_interrupts(app, flow["flow"]):
        if not flow.get("joined", False):
            if on_before_launching_ui:
                on_before_launching_ui(ui="browser")
            open_sign_in_page(flow["auth_uri"], on_no_browser)
        return _await_redirect(app, flow, deadline)


def _await_redirect(app: App, flow: Mapping[str, Any], deadline: float | None) -> Mapping[str, Any]:
    while flow["state"] == "pending":
        left = math.inf if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise BrowserInteractionTimeoutError(_TOO_LATE)
        flow = app.poll_flow(flow["flow"], math.ceil(min(_BROWSER_WAIT, left)))
    return flow


def _outcome(flow: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a flow that has ended."""
    result: dict[str, Any] | None = flow.get("result")
    return result if result is not None else unclassified(refusal_in(flow["error"]))


@contextmanager
def _cancelled_by_interrupts(app: App, flow: str) -> Iterator[None]:
    """By Ctrl-C, as a rule. The broker leaves the sign-in to others who take part in it."""
    try:
        yield
    except (BrokerError, ApiError):
        raise
    except BaseException:
        _cancel(app, flow)
        raise


def _cancel(app: App, flow: str) -> None:
    try:
        app.cancel_flow(flow)
    except (ApiError, BrokerError) as error:
        # It ends by itself; the exception that led here is the one to tell.
        logger.debug("the flow could not be cancelled: %s", error)


def _with_times(fields: Mapping[str, Any], expires_at: float | None) -> dict[str, Any]:
    lifetime = int(fields.get("expires_in", _DEFAULT_LIFETIME))
    return {
        **fields,
        "interval": int(fields.get("interval", _DEFAULT_INTERVAL)),
        "expires_in": lifetime,
        "expires_at": time.time() + lifetime if expires_at is None else float(expires_at),
    }
