"""From the broker's error codes (``proto/error-codes.md``) to what an application of MSAL's expects.

What the provider or the person refused is a dictionary, as in MSAL. What the caller got wrong is a ``ValueError``, and
what is broken is an exception that says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from ._transport import ApiError
from .exceptions import (
    BrokerError,
    IdTokenError,
    MsalServiceError,
    ProviderUnreachableError,
)

logger = logging.getLogger(__name__)

_MISUSE = frozenset(
    {
        "bad_request", "reserved_scope", "invalid_authority", "invalid_credential", "state_mismatch",
        "issuer_mismatch", "account_ambiguous",
    }
)  # fmt: skip
_PROVIDER_FAULT = frozenset({"provider_unavailable", "provider_misbehaved"})
_BROKER_FAULT = frozenset(
    {
        "browser_refused", "not_found", "unknown_app", "method_not_allowed", "payload_too_large",
        "unsupported_media_type", "store_locked", "store_unavailable", "too_many_requests", "internal",
        "shutting_down", "client_assertion_needed",
    }
)  # fmt: skip
_SERVER_ERROR = 500


def refusal_of(error: ApiError) -> dict[str, Any]:
    """The error dictionary of a refusal; raises when the error is none."""
    if error.status >= _SERVER_ERROR and error.code not in _PROVIDER_FAULT | {"provider_unreachable"}:
        raise _broker_error(error.body) from None
    return refusal_in(error.body)


def refusal_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """As :func:`refusal_of`, for the error that a flow ended with."""
    code, text = body["error"], body.get("error_description", "")
    logger.debug("the broker answered %s; correlation id %s", code, body.get("correlation_id"))
    if code in _MISUSE:
        raise ValueError(_advised(text, body)) from None
    if code == "nonce_mismatch":
        raise IdTokenError(_advised(text, body)) from None
    if code in _PROVIDER_FAULT:
        raise MsalServiceError(error=code, error_description=_advised(text, body)) from None
    if code == "provider_unreachable":
        raise ProviderUnreachableError(_advised(text, body)) from None
    if code in _BROKER_FAULT:
        raise _broker_error(body) from None
    # A provider need not describe its refusal (RFC 6749 section 5.2); MSAL then has no description either.
    refusal = {name: value for name, value in body.items() if name != "hint"}
    return refusal if text else {name: value for name, value in refusal.items() if name != "error_description"}


def raise_fault(error: ApiError) -> NoReturn:
    """Raises for calls that have no error dictionary to return, so that a refusal is an exception as well."""
    refusal_of(error)
    raise _broker_error(error.body) from None


def unclassified(refusal: Mapping[str, Any]) -> dict[str, Any]:
    """A refusal as all calls but ``acquire_token_silent_with_error`` return it."""
    return {name: value for name, value in refusal.items() if name != "classification"}


def _broker_error(body: Mapping[str, Any]) -> BrokerError:
    text = f"{body['error']}: {body.get('error_description', '')}"
    return BrokerError(
        _advised(text, body), error=str(body["error"]), correlation_id=str(body.get("correlation_id", ""))
    )


def _advised(text: str, body: Mapping[str, Any]) -> str:
    hint = body.get("hint")
    return f"{text} ({hint})" if hint else text
