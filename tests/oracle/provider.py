"""What the recording provider answers in a scenario: rules in order, the first that fits and is not used up.

The builders speak Entra ID's dialect; names and values are those of ``tests/vectors/msal/wire_traces.json``.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import time
from dataclasses import dataclass, field
from typing import Callable
from urllib.parse import urlencode

from .recorder import Request, Response

CLIENT_ID = "CID"
HOST = "login.microsoftonline.com"
TENANT = "TENANT"
AUTHORITY = f"https://{HOST}/{TENANT}"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ALIASES = [HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"]

Answer = Callable[[Request, dict], Response]


@dataclass(frozen=True)
class User:
    """Somebody who signs in, as the ID token and ``client_info`` describe them."""

    uid: str
    username: str
    utid: str = "UTID"

    @property
    def client_info(self) -> str:
        return _segment({"uid": self.uid, "utid": self.utid})


ALICE = User("UID", "Alice@contoso.example")
# Sorts after Alice: valetkey lists those who signed in within one second by their ids.
BOB = User("UID2", "bob@contoso.example")


@dataclass(frozen=True)
class Rule:
    """``path`` is the end of the URL's path; ``form`` and ``query`` need only be part of the request's."""

    path: str
    answer: Answer
    method: str = "POST"
    host: str | None = None
    form: dict = field(default_factory=dict)
    times: int | None = None

    def fits(self, request: Request) -> bool:
        return (
            request.method == self.method
            and request.path.endswith(self.path)
            and self.host in (None, request.host)
            and self.form.items() <= request.form.items()
        )


class Provider:
    """Answers by the rules, counts their use, and keeps what nobody had foreseen."""

    def __init__(self, rules: list[Rule]):
        self._rules = rules
        self._used = [0] * len(rules)
        self._memory: dict = {}
        self.unexpected: list[str] = []

    def respond(self, request: Request) -> Response:
        for index, rule in enumerate(self._rules):
            if rule.fits(request) and (rule.times is None or self._used[index] < rule.times):
                self._used[index] += 1
                return rule.answer(request, self._memory)
        self.unexpected.append(f"{request.method} {request.url} {request.form}")
        return Response({"error": "unexpected_request"}, status=404)


def reply(body: dict | str = "", status: int = 200, headers: dict | None = None) -> Answer:
    return lambda request, memory: Response(body, status, headers or {})


def entra(host: str = HOST, tenant: str = TENANT) -> list[Rule]:
    """Tenant discovery and the list of aliases."""
    base = f"https://{host}/{tenant}"
    configuration = {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
    }
    return [
        discovery(f"/{tenant}/v2.0/.well-known/openid-configuration", configuration, host),
        aliases([{"preferred_network": HOST, "preferred_cache": "login.windows.net", "aliases": ALIASES}]),
    ]


def discovery(path: str, configuration: dict, host: str | None = None) -> Rule:
    return Rule(path, reply(configuration), method="GET", host=host)


def aliases(metadata: list[dict]) -> Rule:
    return Rule("/common/discovery/instance", reply({"metadata": metadata}), method="GET")


def authorize(code: str | None = "C", user: User = ALICE, forge_state_first: bool = False, **parameters: str) -> Rule:
    """The end of a sign-in page: form_post when asked for, else a redirect (OAuth 2.0 Form Post Response Mode).

    ``code=None`` for an error response. A forged answer, when wanted, is a form ahead of the true one.
    """

    def answer(request: Request, memory: dict) -> Response:
        memory["nonce"] = request.query.get("nonce")
        granted = {"code": code, "client_info": user.client_info} if code else {}
        response = {**granted, "state": request.query.get("state"), **parameters}
        target = request.query["redirect_uri"]
        if request.query.get("response_mode") != "form_post":
            return Response(status=302, headers={"Location": f"{target}?{urlencode(response)}"})
        forged = [{**response, "state": "forged"}] if forge_state_first else []
        return Response("".join(_form(target, fields) for fields in [*forged, response]))

    return Rule("/authorize", answer, method="GET")


def device_code(**changes) -> Rule:
    body = {
        "user_code": "ABCD", "device_code": "DC", "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900, "interval": 1, "message": "m", **changes,
    }
    return Rule("/devicecode", reply(body))


def tokens(
    access_token: str = "AT", refresh_token: str | None = "RT", scope: str = "User.Read openid profile", expires_in: int = 3599,
    user: User | None = ALICE, form: dict | None = None, times: int | None = None, client_id: str = CLIENT_ID,
    nonce: str | None = None, issuer: str | None = None, **more,
) -> Rule:
    """A token response. An ID token comes with it when there is a user; it repeats the nonce of the last authorization.

    ``issuer`` is Entra's, made from the URL of the request, when it is not given.
    """

    def answer(request: Request, memory: dict) -> Response:
        body = {"token_type": "Bearer", "scope": scope, "expires_in": expires_in, "ext_expires_in": expires_in,
                "access_token": access_token, "refresh_token": refresh_token, **more}
        if user:
            claims = _claims(request, user, client_id, issuer)
            seen = nonce or (memory.get("nonce") if request.form.get("grant_type") == "authorization_code" else None)
            body.setdefault("client_info", user.client_info)
            body["id_token"] = _jwt({**claims, "nonce": seen} if seen else claims)
        return Response({name: value for name, value in body.items() if value is not None})

    return Rule("/token", answer, form=form or {}, times=times)


def refreshed(refresh_token: str = "RT", gives: str = "AT2", rotates_to: str | None = "RT2", **changes) -> Rule:
    return tokens(gives, rotates_to, form={"grant_type": "refresh_token", "refresh_token": refresh_token}, **changes)


def refused(error: str, form: dict | None = None, status: int = 400, times: int | None = None, headers: dict | None = None, **more) -> Rule:
    return Rule("/token", reply({"error": error, **more}, status, headers), form=form or {}, times=times)


def poll_refused(error: str, times: int | None = None, **more) -> Rule:
    return refused(error, form={"grant_type": DEVICE_GRANT}, times=times, **more)


def refresh_refused(error: str, times: int | None = None, **more) -> Rule:
    return refused(error, form={"grant_type": "refresh_token"}, times=times, **more)


def code_challenge_of(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _claims(request: Request, user: User, client_id: str, issuer: str | None) -> dict:
    now = int(time.time())
    return {"iss": issuer or request.url.split("/oauth2/")[0] + "/v2.0", "sub": f"SUB-{user.uid}", "aud": request.form.get("client_id", client_id), "iat": now, "exp": now + 3600,
            "oid": user.uid, "tid": user.utid, "preferred_username": user.username}


def _form(target: str, fields: dict) -> str:
    inputs = "".join(f'<input type="hidden" name="{name}" value="{html.escape(str(value))}"/>' for name, value in fields.items() if value)
    return f'<form method="post" action="{html.escape(target)}">{inputs}</form>'


def _jwt(claims: dict) -> str:
    return f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment(claims)}.c2lnbmF0dXJl"


def _segment(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
