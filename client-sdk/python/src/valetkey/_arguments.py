"""Arguments of MSAL's calls: what is checked here, what crosses the socket, and what cannot."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_REQUESTS = "valetkeyd sends the requests; set it at the application's construction or in the environment of valetkeyd"
_PAGES = "valetkeyd shows its own page"
#: Keywords that have no effect, and why the application should know.
_STAYS_HERE = {
    **dict.fromkeys(("verify", "proxies", "timeout", "headers", "cert"), _REQUESTS),
    **dict.fromkeys(("welcome_template", "success_template", "error_template"), _PAGES),
}
#: Keywords of MSAL's that change nothing of what comes back.
_HARMLESS = frozenset({"http_exceptions", "post", "allow_redirects", "stream", "enable_msa_passthrough"})


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warns about the line of the application that called into this package."""
    depth, frame = 1, sys._getframe(0)
    while frame.f_back and str(frame.f_globals.get("__name__", "")).split(".")[0] == "valetkey":
        frame, depth = frame.f_back, depth + 1
    warnings.warn(text, category, stacklevel=depth)


def without_none(**members: Any) -> dict[str, Any]:
    """The members that were given."""
    return {name: value for name, value in members.items() if value is not None}


def scope_list(scopes: Iterable[str] | None) -> list[str]:
    """Scopes as the wire has them. A string is refused: it would be taken for a list of letters."""
    if not isinstance(scopes, (list, tuple, set, frozenset)):
        raise ValueError("scopes must be a list, tuple or set of strings")
    return list(scopes)


def assert_list(scopes: object) -> None:
    """The calls for which MSAL has an ``AssertionError`` in the place of the ``ValueError``."""
    if not isinstance(scopes, list):
        raise AssertionError("scopes must be a list of strings")


def prompt_text(prompt: str | Collection[str] | None) -> str | None:
    """OpenID Connect's ``prompt`` is one text with spaces."""
    return prompt if prompt is None or isinstance(prompt, str) else " ".join(prompt)


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Refuses the hidden keywords of MSAL that would change the token, and warns of those that have no effect."""
    for name, value in keywords.items():
        if name in ("data", "params"):
            # To drop one in silence would bring the wrong token.
            if value:
                raise ValueError(f"{name}: the broker takes no such request parameters here")
        elif name in _STAYS_HERE:
            warn(f"{name} has no effect: {_STAYS_HERE[name]}")
        elif name not in _HARMLESS:
            raise TypeError(f"unexpected keyword argument {name!r}")


def token_request(
    grant: str | None,
    scopes: list[str],
    keywords: dict[str, Any],
    *,
    claims_challenge: str | None = None,
    forwarded_client_claims: str | None = None,
    **members: Any,
) -> dict[str, Any]:
    """The body of ``POST …/token``; ``members`` are those that this grant knows."""
    request = {name: value for name, value in members.items() if value is not None}
    if grant:
        request["grant"] = grant
    request["scopes"] = scopes
    if claims_challenge:
        request["claims_challenge"] = claims_challenge
    if forwarded_client_claims is not None:
        request["forwarded_client_claims"] = _checked_claims(forwarded_client_claims)
    if keywords:
        data = extra_fields(keywords.pop("data", None))
        if data:
            request["data"] = data
        check_keywords(keywords)
    return request


def _checked_claims(claims: str) -> str:
    """The text goes on byte for byte, since it is a part of the token's place in the cache."""
    if not isinstance(claims, str):
        raise ValueError(f"forwarded_client_claims must be a text, not {type(claims).__name__}")
    try:
        is_object = isinstance(json.loads(claims), dict)
    except ValueError:
        is_object = False
    if not is_object:
        # Not the text itself: it may be personal.
        raise ValueError("forwarded_client_claims must be a JSON object, as text") from None
    return claims


def extra_fields(data: Mapping[str, Any] | None) -> dict[str, str]:
    """MSAL's ``data``. Falsy values are dropped, as there."""
    fields = {name: value for name, value in (data or {}).items() if value}
    for name, value in fields.items():
        if not isinstance(value, (str, int, float)):
            raise ValueError(f"data: {name} must be a text, not {type(value).__name__}")
    if fields.get("token_type") == "ssh-cert":
        for name in ("req_cnf", "key_id"):
            if name not in fields:
                raise ValueError(f"data: an SSH certificate needs {name}")
    return {name: str(value) for name, value in fields.items()}
