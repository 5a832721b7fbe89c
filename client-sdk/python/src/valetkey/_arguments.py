"""Arguments of MSAL's calls: what is checked here, what crosses the socket, and what cannot."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .authority import AuthorityBuilder
from .token_cache import TokenCache

_REGION = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

#: What MSAL would do with it in this process, the broker does by its own configuration.
_STAYS_HERE = {
    "http_client": "valetkeyd sends the requests; set HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE in its environment",
    "http_cache": "valetkeyd keeps it, for all applications together",
    "verify": "valetkeyd checks certificates; set SSL_CERT_FILE or SSL_CERT_DIR in its environment to add a root",
    "proxies": "set HTTPS_PROXY and NO_PROXY in the environment of valetkeyd",
    "timeout": "valetkeyd has time-outs of its own for every request to a provider",
}
_STAYS_HERE.update(
    dict.fromkeys(("welcome_template", "success_template", "error_template"), "valetkeyd shows its own page")
)
#: Keywords that MSAL hands to its HTTP client or to Microsoft's brokers.
_HARMLESS = frozenset(
    {"http_exceptions", "post", "headers", "allow_redirects", "stream", "cert", "enable_msa_passthrough"}
).union(_STAYS_HERE)
#: Keywords that change the token which is asked for; to drop one in silence would bring the wrong token.
_DECISIVE = frozenset({"data", "params", "forwarded_client_claims"})
_KNOWN = _HARMLESS | _DECISIVE


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


def prompt_text(prompt: str | Collection[str] | None) -> str | None:
    """OpenID Connect's ``prompt`` is one text with spaces."""
    return prompt if prompt is None or isinstance(prompt, str) else " ".join(prompt)


def refuse_auth_scheme(auth_scheme: object) -> None:
    """A proof-of-possession scheme changes the token, so it is not dropped in silence."""
    if auth_scheme:
        raise ValueError("auth_scheme: the broker issues bearer tokens alone")


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Refuses the hidden keywords of MSAL that would change the token, and warns of those that have no effect."""
    for name in keywords:
        if name not in _KNOWN:
            raise TypeError(f"unexpected keyword argument {name!r}")
        if name in _DECISIVE and keywords[name]:
            raise ValueError(f"{name}: the broker takes no extra request parameters")
        if name in _STAYS_HERE:
            warn(f"{name} has no effect: {_STAYS_HERE[name]}")


def check_application(
    client_credential: object, exclude_scopes: object, azure_region: object, allow_broker: object
) -> None:
    """What MSAL checks of an application before it needs the network."""
    if client_credential is not None:
        raise ValueError("client_credential: a public client has none, and the broker opens public clients here")
    if isinstance(azure_region, str) and not _REGION.fullmatch(azure_region):
        raise ValueError(f"azure_region {azure_region!r} is not a lower-case DNS label")
    if exclude_scopes:
        if not isinstance(exclude_scopes, list):
            raise ValueError(f"exclude_scopes must be a list of strings, not {exclude_scopes!r}")
        if "openid" in exclude_scopes:
            raise ValueError("exclude_scopes: openid cannot be left out; without it there is no account")
    if allow_broker:
        warn("allow_broker is deprecated and has no effect: the broker is valetkeyd", DeprecationWarning)


def warn_of_what_stays_here(token_cache: object, transport_options: Mapping[str, Any]) -> None:
    """Says which parameters cannot cross the socket, and what to set instead."""
    for name, value in transport_options.items():
        if value is not None:
            warn(f"{name} has no effect: {_STAYS_HERE[name]}")
    if token_cache is not None and type(token_cache) is not TokenCache:
        warn(
            "token_cache has no effect: valetkeyd keeps the tokens itself, encrypted and shared by this user's "
            "applications; `valetkey cache import` brings existing ones over"
        )


def definition_of(
    *, client_id: str, authority: str | AuthorityBuilder | None, validate_authority: bool, **others: Any
) -> dict[str, Any]:
    """The body of ``POST /v1/apps``."""
    return without_none(
        client_id=client_id,
        authority=str(authority) if authority else None,
        validate_authority=None if validate_authority else False,
        **{name: value for name, value in others.items() if value not in ("", [])},
    )
