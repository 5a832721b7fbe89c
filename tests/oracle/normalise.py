"""Makes two runs comparable: what differs from run to run by nature is replaced, everything else is kept."""

from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: Of the transport or of the HTTP library; no provider acts on them.
_IGNORED_HEADERS = {"user-agent", "accept-encoding", "accept-language", "connection", "content-length", "host", "content-type"}
_VERSION_HEADERS = {"x-client-ver", "x-client-os", "x-client-sku"}
_RANDOM_FIELDS = {"state", "nonce", "code_verifier", "code_challenge"}
_RANDOM = re.compile(r"[\w.~-]{20,128}")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
_LOOPBACK = re.compile(r"^http://(localhost|127\.0\.0\.1):\d+")
_ABSOLUTE_TIMES = {"expires_at", "refresh_on", "iat", "exp", "latest_attempt_at"}
#: What is before is no time of a run's, but a value that a scenario made up.
_LONG_AGO = 1_000_000_000
_DISCOVERY = ("/.well-known/openid-configuration", "/common/discovery/instance")

#: Compared with tolerance, as the runs take different time.
TIME_FIELDS = _ABSOLUTE_TIMES | {"expires_in"}


def normalise(record: dict) -> dict:
    """``results`` and ``requests`` by step; ``discovery`` apart, since *when* it happens is the library's own affair.

    ``ended`` is how the scenario as a whole did.
    """
    normaliser = _Normaliser(record["started"])
    requests, discovery = [], {}
    for step in record["steps"]:
        seen = [normaliser.request(request) for request in step["requests"]]
        requests.append([request for request in seen if not _is_discovery(request)])
        discovery.update({_line(request): True for request in seen if _is_discovery(request)})
    results = [normaliser.outcome(step) for step in record["steps"]]
    return {"results": results, "requests": requests, "discovery": discovery, "ended": record["ended"]}


def normalise_requests(requests: list[dict]) -> list[dict]:
    """All requests of one step, in order, with every UUID alike: the shape of ``wire_traces.json``."""
    normaliser = _Normaliser(0, distinguish_uuids=False)
    return [normaliser.request(request) for request in requests]


def request_of_trace(trace: dict) -> dict:
    """A request as ``wire_traces.json`` tells it, in the recorder's terms; None means "not sent", values may be numbers."""
    parts = urlsplit(trace["url"])
    query = {**dict(parse_qsl(parts.query)), **(trace.get("params") or {})}
    return {
        "method": trace["method"],
        "url": f"{parts.scheme}://{parts.netloc}{parts.path}",
        "query": _as_text(query),
        "headers": {name.lower(): value for name, value in _as_text(trace.get("headers") or {}).items()},
        "form": _as_text(trace.get("data") or {}),
    }


def _as_text(fields: dict) -> dict:
    return {name: str(value) for name, value in fields.items() if value is not None}


def _is_discovery(request: dict) -> bool:
    return request["method"] == "GET" and request["url"].endswith(_DISCOVERY)


def _line(request: dict) -> str:
    return " ".join([request["url"], *(f"{name}={value}" for name, value in sorted(request["query"].items()))])


class _Normaliser:
    def __init__(self, started: float, distinguish_uuids: bool = True):
        self._started = started
        self._numbers = itertools.count(1) if distinguish_uuids else itertools.repeat("")
        self._uuids: dict[str, str] = {}

    def request(self, request: dict) -> dict:
        headers = {name: value for name, value in request["headers"].items() if name not in _IGNORED_HEADERS}
        if headers.get("accept") == "*/*":
            del headers["accept"]
        return {
            "method": request["method"],
            "url": _LOOPBACK.sub("http://localhost:<port>", request["url"]),
            "query": self._fields(request["query"]),
            "form": self._fields(request["form"]),
            "headers": {name: "<client>" if name in _VERSION_HEADERS else self._text(value) for name, value in headers.items()},
        }

    def outcome(self, step: dict) -> dict:
        """The text of an exception is for people and may differ; its type is for programs."""
        if "raised" in step:
            return {"call": step["call"], "raised": step["raised"]}
        return {"call": step["call"], "returned": self._value(step["call"], step["result"])}

    def _fields(self, fields: dict) -> dict:
        return {name: self._value(name, value) for name, value in fields.items()}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._fields(value)
        if isinstance(value, list):
            items = [self._value(name, item) for item in value]
            return sorted(items) if name == "scope" else items
        if isinstance(value, str):
            return self._named_text(name, value)
        if name in _ABSOLUTE_TIMES and isinstance(value, (int, float)) and value > _LONG_AGO:
            return value - self._started
        return value

    def _named_text(self, name: str, value: str) -> Any:
        if name in _RANDOM_FIELDS and _RANDOM.fullmatch(value):
            return "<random>"
        if name == "scope":
            return " ".join(sorted(value.split()))  # RFC 6749 section 3.3: the order does not matter
        if name == "id_token" and _JWT.fullmatch(value):
            return "<jwt>"
        if name in ("auth_uri", "get_authorization_request_url"):
            parts = urlsplit(value)
            return {"url": f"{parts.scheme}://{parts.netloc}{parts.path}", "query": self._fields(dict(parse_qsl(parts.query)))}
        return self._text(value)

    def _text(self, value: str) -> str:
        value = re.sub(r"http://localhost:\d+", "http://localhost:<port>", value)
        return _UUID.sub(self._uuid, value)

    def _uuid(self, match: re.Match) -> str:
        """Numbered in order of appearance, so that "the same id again" and "a new id" stay different things."""
        if match.group() not in self._uuids:
            self._uuids[match.group()] = f"<uuid{next(self._numbers)}>"
        return self._uuids[match.group()]
