"""What defines an application: the parameters of MSAL's constructors as the body of ``POST /v1/apps``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ._arguments import warn, without_none
from ._private_cache import PrivateCache
from .authority import AuthorityBuilder
from .token_cache import SharedTokenCache, TokenCache

_REGION = re.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def check_scopes_left_out(exclude_scopes: object) -> None:
    """``openid`` cannot be left out, and a text would be taken for a list of letters."""
    if exclude_scopes:
        if not isinstance(exclude_scopes, list):
            raise ValueError(f"exclude_scopes must be a list of strings, not {exclude_scopes!r}")
        if "openid" in exclude_scopes:
            raise ValueError("exclude_scopes: openid cannot be left out; without it there is no account")


def check_broker(allow_broker: object, is_confidential: bool) -> None:
    """MSAL's ``allow_broker`` chose Windows' broker."""
    if allow_broker and is_confidential:
        raise ValueError("allow_broker goes with a PublicClientApplication alone")
    if allow_broker:
        warn("allow_broker is deprecated and has no effect: the broker is valetkeyd", DeprecationWarning)


def region_of(azure_region: str | bool | None, has_credential: bool) -> str | bool | None:
    """The region for an application's own tokens; True when the broker is to find it out."""
    if azure_region is None and has_credential:
        forced = os.environ.get("MSAL_FORCE_REGION")
        return forced if forced is None else _checked_region("MSAL_FORCE_REGION", forced)
    if isinstance(azure_region, str):
        return _checked_region("azure_region", azure_region)
    if azure_region:
        # The platform tells it to the application's process, not to the broker's.
        told = os.environ.get("REGION_NAME", "")
        return told if _REGION.fullmatch(told) else True
    return None


def _checked_region(name: str, region: str) -> str:
    if not _REGION.fullmatch(region):
        raise ValueError(f"{name} {region!r} is not a lower-case DNS label")
    return region


def warn_of_what_cannot_cross(http_client: object, http_cache: object) -> None:
    """The broker sends the requests, so that an object of this process cannot take part in it."""
    given = {"http_client": http_client, "http_cache": http_cache}
    names = " and ".join(name for name, value in given.items() if value is not None)
    if names:
        warn(
            f"{names}: no effect, since valetkeyd sends the requests and keeps what may be kept; give the application "
            "verify, proxies and timeout, or set HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE where valetkeyd is started"
        )


def cache_of(token_cache: object) -> tuple[TokenCache, PrivateCache | None]:
    """The cache that the application uses, and its private part; a falsy one is the shared one, as none is."""
    if not token_cache:
        return SharedTokenCache(), None
    if isinstance(token_cache, TokenCache):
        return token_cache, token_cache._private
    warn(
        f"token_cache: a {type(token_cache).__name__} of another package has no effect; valetkeyd keeps the tokens itself, "
        "encrypted and shared by this user's applications; a SerializableTokenCache takes the content of an existing one"
    )
    return SharedTokenCache(), None


def definition_of(
    *,
    kind: str,
    authority: str | AuthorityBuilder | None,
    validate_authority: bool,
    client_claims: Mapping[str, Any] | None,
    azure_region: str | bool | None,
    **others: Any,
) -> dict[str, Any]:
    """The body of ``POST /v1/apps``. What only a confidential client has is left out for others, as in MSAL."""
    is_confidential = kind == "confidential"
    return without_none(
        kind=kind if is_confidential else None,
        authority=str(authority) if authority else None,
        validate_authority=None if validate_authority else False,
        client_claims=(dict(client_claims) if client_claims else None) if is_confidential else None,
        azure_region=azure_region if is_confidential else None,
        **{name: value for name, value in others.items() if value not in ("", [])},
    )
