"""MSAL's forms of ``client_credential``, and the same for the broker, which signs. No key is parsed in this process."""

from __future__ import annotations

import base64
import binascii
import inspect
import os
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable

from ._api import MakeAssertion
from ._arguments import warn, without_none

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----", re.IGNORECASE)
#: Of Microsoft's advice for applications that make an assertion at each request.
_REUSE_SECONDS = 540


class AutoRefresher:
    """Calls ``factory`` at most once in ``expires_in`` seconds, from whichever thread, and returns what it made."""

    def __init__(self, factory: Callable[[], Any], expires_in: float = _REUSE_SECONDS) -> None:
        self._factory = factory
        self._expires_in = expires_in
        self._made: tuple[Any, float] | None = None
        # Held while the factory works: others wait for its result and do not ask for a second one.
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            now = time.time()
            if self._made is None or self._made[1] <= now:
                self._made = self._factory(), now + self._expires_in
            return self._made[0]


def extract_certs(public_cert_content: str) -> list[str]:
    """The base64 between the tags of each certificate of a PEM file; the text itself when there are no tags."""
    certificates = [text.strip() for text in _CERTIFICATE.findall(public_cert_content)]
    if certificates:
        return certificates
    if "PRIVATE KEY" in public_cert_content:
        raise ValueError("public_certificate is a private key; give the certificate")
    return [public_cert_content.strip()]


def read_credential(credential: Any) -> tuple[dict[str, Any] | None, MakeAssertion | None]:
    """The credential as it crosses the socket, and the application's function when it makes its assertions itself."""
    if credential is None or credential in ("", b""):
        return None, None
    if not isinstance(credential, Mapping):
        return {"type": "secret", "secret": _text("client_credential", credential)}, None
    # A member that is empty counts as absent: it came from an empty environment variable.
    assertion = credential.get("client_assertion")
    if callable(assertion):
        return {"type": "assertion_callback"}, _maker(assertion)
    if assertion:
        warn(
            "client_assertion is a fixed text, which will expire; give a function that makes one, "
            "for example an AutoRefresher",
            DeprecationWarning,
        )
        return {"type": "assertion", "assertion": _text("client_assertion", assertion)}, None
    if credential.get("private_key_pfx_path"):
        return _pfx(credential), None
    if credential.get("private_key"):
        return _private_key(credential), None
    raise ValueError("client_credential needs one of client_assertion, private_key and private_key_pfx_path")


def _pfx(credential: Mapping[str, Any]) -> dict[str, Any]:
    with open(os.path.expanduser(credential["private_key_pfx_path"]), "rb") as file:
        content = file.read()
    certificate = credential.get("public_certificate")
    return without_none(
        type="pfx",
        pfx=base64.b64encode(content).decode(),
        passphrase=_passphrase(credential),
        send_certificate=True if certificate is True else None,
        certificate=_pem(extract_certs(certificate)) if certificate and isinstance(certificate, str) else None,
    )


def _private_key(credential: Mapping[str, Any]) -> dict[str, Any]:
    certificate, thumbprint = credential.get("public_certificate"), credential.get("thumbprint") or None
    if not isinstance(certificate, str) or not certificate:
        certificate = None
    if not thumbprint and not certificate:
        raise ValueError("client_credential needs thumbprint or public_certificate beside private_key")
    if thumbprint:
        # As early as in MSAL, and with its exception (a ValueError): the broker would tell at the first call.
        binascii.a2b_hex(thumbprint)
    return without_none(
        type="private_key",
        private_key=_text("private_key", credential["private_key"]),
        passphrase=_passphrase(credential),
        certificate=_pem(extract_certs(certificate)) if certificate else None,
        thumbprint=thumbprint,
    )


def _pem(certificates: list[str]) -> str:
    return "".join(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n" for text in certificates)


def _passphrase(credential: Mapping[str, Any]) -> str | None:
    passphrase = credential.get("passphrase")
    return _text("passphrase", passphrase) if passphrase else None


def _text(name: str, value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, not {type(value).__name__}")
    return value


def _maker(function: Callable[..., Any]) -> MakeAssertion:
    takes_context = _takes_context(function)

    def make(asked: Mapping[str, Any]) -> str:
        context = {name: asked[name] for name in ("client_id", "token_endpoint", "fmi_path") if asked.get(name)}
        assertion = function(context) if takes_context else function()
        if not assertion:
            raise ValueError("client_assertion: the function returned none")
        return _text("client_assertion", assertion)

    return make


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        # Some callables written in C tell nothing about themselves.
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is inspect.Parameter.empty for p in parameters)
