"""Providers as programs of their own, and the person who signs in at them, through their control APIs."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from oracle.certificates import CertificateAuthority

from .world import PATIENCE_SECONDS, REPOSITORY, find_program

_CERTIFIED = REPOSITORY / "tests" / "oidc-provider"
_EMULATOR_BROWSER = Path(__file__).with_name("browser.py")


class Provider:
    """What the two have in common."""

    #: Asked for by the programs.
    scopes: list[str]
    #: Variables by which every client trusts the provider's certificate.
    trust: dict[str, str] = {}

    def __init__(self, command: list[str], folder: Path | None = None, context: ssl.SSLContext | None = None) -> None:
        # The emulator serves until its input closes.
        self._process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **self.trust},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        self._context = context
        watchdog = threading.Timer(PATIENCE_SECONDS, self._process.kill)
        watchdog.start()
        self.ready: dict[str, Any] = json.loads(self._process.stdout.readline())
        watchdog.cancel()

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_SECONDS)

    @property
    def application(self) -> dict[str, Any]:
        """The constructor's arguments that name this provider."""
        raise NotImplementedError

    def config(self, client_id: str = "public", **more: Any) -> dict[str, Any]:
        """The settings of a program."""
        return {"client_id": client_id, "application": self.application, "scopes": self.scopes, **more}

    def username(self, user: str) -> str:
        """The name under which an application sees alice or bob."""
        raise NotImplementedError

    def approve(self, user_code: str, user: str) -> None:
        """The person types a device's code, and signs in."""
        raise NotImplementedError

    def authorize(self, page: str, user: str) -> dict[str, str]:
        """The person signs in at a page, by script; the parameters with which the provider redirects."""
        raise NotImplementedError

    def browser(self, user: str) -> dict[str, str]:
        """Variables that make this person and a browser the desktop's."""
        raise NotImplementedError

    def count(self, grant_type: str) -> tuple[int, int]:
        """Token requests of this grant type: those that brought a token, and those that did not."""
        raise NotImplementedError

    def secrets(self) -> list[str]:
        """Every token and code that was ever issued."""
        raise NotImplementedError

    def hold_refreshes(self) -> None:
        """From now on a refresh waits at the provider."""
        raise NotImplementedError

    def await_held_refresh(self) -> None:
        """Returns when a refresh waits there."""
        raise NotImplementedError

    def release_refreshes(self) -> None:
        """They go on."""
        raise NotImplementedError

    def _call(self, method: str, url: str, body: dict | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
        handlers = [urllib.request.HTTPSHandler(context=self._context)] if self._context else []
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
        with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class EntraEmulator(Provider):
    """The testkit's. ``flags`` are those of ``entra-emulator --help``."""

    scopes = ["User.Read"]
    _GATE = "refresh"

    def __init__(self, *flags: str, tls_folder: Path | None = None) -> None:
        program = find_program("VALETKEY_ENTRA_EMULATOR", "entra-emulator")
        if tls_folder:
            certificate = str(tls_folder / "emulator.pem")
            flags = ("--tls", certificate, *flags)
            self.trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), certificate)
        super().__init__([program, "--device-interval", "1", *flags])

    @property
    def application(self) -> dict[str, Any]:
        # Microsoft's instance discovery would be asked about a host that it does not know.
        return {"authority": self.ready["authority"], "instance_discovery": False}

    def application_of(self, tenant: str) -> dict[str, Any]:
        """For a client whose tokens are one tenant's."""
        authority = self.ready["authority"].removesuffix("common") + tenant
        return {**self.application, "authority": authority}

    def username(self, user: str) -> str:
        return f"{user}@contoso.com"

    def approve(self, user_code: str, user: str) -> None:
        self.control("POST", "/device", user_code=user_code, user=self.username(user))

    def authorize(self, page: str, user: str) -> dict[str, str]:
        return self.control("POST", "/authorize", url=page, user=self.username(user))["params"]

    def browser(self, user: str) -> dict[str, str]:
        return {
            "BROWSER": str(_EMULATOR_BROWSER), "EMULATOR_URL": self.ready["base_url"], "SIGN_IN_USER": self.username(user)}

    def count(self, grant_type: str) -> tuple[int, int]:
        counter = self.control("GET", "/counters").get(grant_type, {"answered": 0, "refused": 0})
        return counter["answered"], counter["refused"]

    def secrets(self) -> list[str]:
        return [secret["value"] for secret in self.control("GET", "/secrets")]

    def hold_refreshes(self) -> None:
        self.control("POST", "/faults", endpoint="token", times=1000, grant_type="refresh_token", gate=self._GATE)

    def await_held_refresh(self) -> None:
        self.control("GET", f"/gates/{self._GATE}/wait?count=1")

    def release_refreshes(self) -> None:
        self.control("POST", f"/gates/{self._GATE}/open")

    def change_settings(self, **settings: Any) -> None:
        self.control("PATCH", "/settings", **settings)

    def control(self, method: str, path: str, **body: Any) -> Any:
        return self._call(method, f"{self.ready['base_url']}/_emulator{path}", body or None)


class CertifiedProvider(Provider):
    """npm's ``oidc-provider``. ``flags`` are those of ``server.mjs``; ``issuer`` is one of its two."""

    scopes = ["read"]

    def __init__(self, *flags: str, issuer: str = "issuer", tls_folder: Path | None = None) -> None:
        context = None
        if tls_folder:
            authority = CertificateAuthority(tls_folder)
            certificate = str(authority.issue("127.0.0.1"))
            flags = ("--tls-cert", certificate, "--tls-key", certificate, *flags)
            context = ssl.create_default_context(cafile=authority.path)
            self.trust = {name: str(authority.path) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")}
        super().__init__(["node", "server.mjs", *flags], _CERTIFIED, context)
        self.issuer: str = self.ready[issuer]

    @property
    def application(self) -> dict[str, Any]:
        return {"oidc_authority": self.issuer}

    def username(self, user: str) -> str:
        return f"{user}@example.test"

    def approve(self, user_code: str, user: str) -> None:
        self.control("POST", "/device", user_code=user_code, user=user, issuer=self.issuer)

    def authorize(self, page: str, user: str) -> dict[str, str]:
        redirect = self.control("POST", "/authorize", url=page, user=user)
        return redirect.get("form") or dict(parse_qsl(urlsplit(redirect["location"]).query))

    def browser(self, user: str) -> dict[str, str]:
        return {"BROWSER": str(_CERTIFIED / "browser"), "SIGN_IN_USER": user}

    def count(self, grant_type: str) -> tuple[int, int]:
        counter = self.control("GET", "/counters").get(grant_type, {"requests": 0, "granted": 0})
        return counter["granted"], counter["requests"] - counter["granted"]

    def secrets(self) -> list[str]:
        return [secret["value"] for secret in self.control("GET", "/secrets")]

    def hold_refreshes(self) -> None:
        self.control("POST", "/issuing", mode="hold")

    def await_held_refresh(self) -> None:
        while not self.control("GET", "/issuing")["held"]:
            pass

    def release_refreshes(self) -> None:
        self.control("POST", "/issuing", mode="on")

    def requests(self, path: str) -> list[dict[str, Any]]:
        """The requests to one path, in order."""
        return [request for request in self.control("GET", "/requests") if request["path"] == path]

    def control(self, method: str, path: str, **body: Any) -> Any:
        return self._call(method, self.ready["control"] + path, body or None)
