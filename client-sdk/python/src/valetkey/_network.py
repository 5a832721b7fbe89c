"""MSAL's ``verify``, ``proxies`` and ``timeout``, whose shapes are those of requests, as the broker takes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._arguments import warn, without_none

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_SCHEMES = ("http", "https", "all")


def network_settings(verify: Any, proxies: Mapping[str, str | None] | None, timeout: Any) -> dict[str, Any] | None:
    """The ``network`` member of ``POST /v1/apps``; None when nothing differs from the broker's own settings."""
    settings = without_none(
        timeout=_seconds(timeout), proxies=_proxies(proxies) or None, ca_certificates=_authorities(verify)
    )
    return settings or None


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    parts = timeout if isinstance(timeout, (tuple, list)) else (timeout,)
    if len(parts) > 2 or not all(part is None or (_is_number(part) and part > 0) for part in parts):  # noqa: PLR2004
        raise ValueError(f"timeout must be seconds or (seconds to connect, seconds to read), not {timeout!r}")
    # The broker counts both together; a part without an end makes the whole endless.
    return None if None in parts else float(sum(parts))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _proxies(proxies: Mapping[str, str | None] | None) -> dict[str, str]:
    if not proxies:
        return {}
    if not isinstance(proxies, Mapping):
        raise ValueError("proxies must be a dict, such as {'https': 'http://proxy.example.com:3128'}")
    others = [scheme for scheme in proxies if scheme not in _SCHEMES]
    if others:
        warn(f"proxies: {', '.join(map(repr, others))} has no effect; valetkeyd tells {', '.join(_SCHEMES)} apart")
    return {scheme: proxy for scheme in _SCHEMES if (proxy := proxies.get(scheme))}


def _authorities(verify: Any) -> str | None:
    if verify is True or verify is None:
        return None
    if isinstance(verify, (str, os.PathLike)):
        certificates = dict.fromkeys(
            text for file in _files_of(os.fspath(verify)) for text in _CERTIFICATE.findall(file)
        )
        if not certificates:
            raise ValueError(f"verify: there is no PEM certificate in {os.fspath(verify)}")
        return "".join(f"{text}\n" for text in certificates)
    raise ValueError(
        f"verify={verify!r}: valetkeyd verifies certificates always; give the path of a file with the certificate "
        "of the authority that signed your proxy's or provider's: verify='/path/to/ca.pem'"
    )


def _files_of(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield _read(path)
        return
    for name in sorted(os.listdir(path)):
        file = os.path.join(path, name)
        if os.path.isfile(file):
            yield _read(file)


def _read(path: str) -> str:
    # What is around a certificate may be in any encoding; the certificate itself is ASCII.
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()
