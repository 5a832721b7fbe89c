"""The recording provider: an HTTPS proxy on loopback that answers for every host and remembers every request.

A client that is told ``HTTPS_PROXY`` and the CA file speaks to "https://login.microsoftonline.com" as always, and not a
byte leaves the machine. Requests in proxy form (``GET http://…``) and requests sent to it directly are answered as well.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.parse import parse_qsl, urlsplit

from .certificates import CertificateAuthority

_LIMIT_SECONDS = 30


@dataclass
class Request:
    """One request as it arrived; header names are lower-case."""

    method: str
    url: str
    query: dict
    headers: dict
    form: dict

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass
class Response:
    """What the provider answers; a dict goes out as JSON, a string as HTML."""

    body: dict | str = ""
    status: int = 200
    headers: dict = field(default_factory=dict)


class Recorder:
    """Serves until ``close``; ``requests`` grows in the order of arrival."""

    def __init__(self, folder: Path, answer: Callable[[Request], Response]):
        self.requests: list[Request] = []
        self.authority = CertificateAuthority(folder)
        self.answer = answer
        self._lock = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.recorder = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict:
        """The variables by which clients find the proxy and trust its certificates."""
        ca = str(self.authority.path)
        return {
            "HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "https_proxy": self.url, "http_proxy": self.url,
            "NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1",
            "SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca, "CURL_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca,
        }

    def take(self, request: Request) -> Response:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()
            return self.answer(request)

    def recorded(self) -> list[dict]:
        with self._lock:
            return [asdict(request) for request in self.requests]

    def await_request(self, **form: str):
        """Returns when a request with these form fields has arrived."""
        with self._lock:
            seen = self._lock.wait_for(lambda: any(form.items() <= request.form.items() for request in self.requests), _LIMIT_SECONDS)
        assert seen, f"no request with {form}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tunnel_host: str | None = None

    def do_CONNECT(self):
        """RFC 9110 section 9.3.6; what the client believes to be the far end is this very handler, now within TLS."""
        host, _, port = self.path.rpartition(":")
        self.tunnel_host = host if port == "443" else self.path
        self.send_response(200, "connection established")
        self.end_headers()
        context = self.server.recorder.authority.context_for(host)
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except OSError:
            self.close_connection = True  # the client did not like the certificate; its error says so
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        response = self.server.recorder.take(self._request(body))
        payload = response.body if isinstance(response.body, str) else json.dumps(response.body)
        self.send_response(response.status)
        kind = "text/html" if isinstance(response.body, str) else "application/json"
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **response.headers}.items():
            self.send_header(name, value)
        encoded = payload.encode()
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = do_DELETE = do_PUT = _answer

    def _request(self, body: str) -> Request:
        base = f"https://{self.tunnel_host}" if self.tunnel_host else f"http://{self.headers.get('Host', '')}"
        parts = urlsplit(self.path if "://" in self.path else base + self.path)
        return Request(
            method=self.command,
            url=f"{parts.scheme}://{parts.netloc}{parts.path}",
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            form=dict(parse_qsl(body, keep_blank_values=True)),
        )

    def log_message(self, *_):
        """The record is the log."""
