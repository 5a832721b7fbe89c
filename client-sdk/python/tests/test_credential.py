"""Credentials: MSAL's forms, and what of them crosses the socket."""

from __future__ import annotations

import base64
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import valetkey as msal
from conftest import StartDaemon, after_opening, refused
from scripted_daemon import Reply, Request, answer
from valetkey.application import extract_certs

KEY = "-----BEGIN PRIVATE KEY-----\na2V5\n-----END PRIVATE KEY-----"
PEM = "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n"
THUMBPRINT = "A1B2C3D4E5F60718293A4B5C6D7E8F9011223344"
TENANT = "https://login.microsoftonline.com/contoso"
TOKEN = {"access_token": "t", "token_source": "identity_provider"}
ASKED = {"client_id": "client-1", "token_endpoint": f"{TENANT}/oauth2/v2.0/token"}


def confidential(credential: Any, **options: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication("client-1", credential, authority=TENANT, **options)


def opened_with(start_daemon: StartDaemon, credential: Any, **options: Any) -> Any:
    """The body of ``POST /v1/apps`` of an application with this credential."""
    daemon = start_daemon(lambda r: answer(200, {"app": "a1"} if r.target == "/v1/apps" else TOKEN))
    confidential(credential, **options).acquire_token_for_client(["r/.default"])
    return daemon.requests[0].body


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ("s3cret", {"type": "secret", "secret": "s3cret"}),
        (None, None),
        ("", None),
        (
            {"private_key": KEY, "thumbprint": THUMBPRINT},
            {"type": "private_key", "private_key": KEY, "thumbprint": THUMBPRINT},
        ),
        (
            {"private_key": KEY.encode(), "public_certificate": f"Bag\n{PEM}", "passphrase": b"p"},
            {"type": "private_key", "private_key": KEY, "passphrase": "p", "certificate": PEM},
        ),
        (
            {"private_key": KEY, "public_certificate": "Y2VydA==", "client_assertion": ""},
            {"type": "private_key", "private_key": KEY, "certificate": PEM},
        ),
        ({"client_assertion": lambda: "a"}, {"type": "assertion_callback"}),
    ],
)
def test_a_credential_crosses_the_socket_in_the_brokers_words(
    start_daemon: StartDaemon, credential: Any, expected: Any
) -> None:
    body = opened_with(start_daemon, credential)
    assert (body["kind"], body.get("credential")) == ("confidential", expected)


@pytest.mark.parametrize(
    ("certificate", "sent"),
    [
        (True, {"send_certificate": True}),
        (f"Bag\n{PEM}{PEM}", {"certificate": PEM + PEM}),
        (None, {}),
        ("", {}),
    ],
)
def test_a_pfx_file_is_read_here_and_opened_there(
    start_daemon: StartDaemon, tmp_path: Path, certificate: Any, sent: Any
) -> None:
    file = tmp_path / "app.pfx"
    file.write_bytes(b"\x30\x82")
    form = {"private_key_pfx_path": str(file), "passphrase": "p", "public_certificate": certificate}
    told = opened_with(start_daemon, form)["credential"]
    assert base64.b64decode(told.pop("pfx")) == b"\x30\x82"
    assert told == {"type": "pfx", "passphrase": "p", **sent}


@pytest.mark.parametrize(
    ("credential", "error"),
    [
        ({}, ValueError),
        ({"passphrase": "p"}, ValueError),
        ({"private_key": KEY}, ValueError),
        ({"private_key": KEY, "public_certificate": True}, ValueError),
        ({"private_key": KEY, "public_certificate": KEY}, ValueError),
        ({"private_key": KEY, "thumbprint": "A1:B2"}, ValueError),
        ({"private_key": object(), "thumbprint": THUMBPRINT}, ValueError),
        ({"private_key_pfx_path": "/nonexistent.pfx"}, FileNotFoundError),
        (object(), ValueError),
    ],
)
def test_a_wrong_credential_is_refused_at_construction_and_not_shown(credential: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        confidential(credential)
    assert "a2V5" not in str(caught.value)


def test_a_credential_that_the_broker_cannot_use_is_misuse(start_daemon: StartDaemon) -> None:
    start_daemon(lambda _: refused("invalid_credential"))
    with pytest.raises(ValueError, match="why"):
        confidential("s").acquire_token_for_client(["r/.default"])


def test_a_fixed_assertion_is_sent_with_advice(start_daemon: StartDaemon) -> None:
    with pytest.warns(DeprecationWarning, match="AutoRefresher"):
        body = opened_with(start_daemon, {"client_assertion": b"ey"})
    assert body["credential"] == {"type": "assertion", "assertion": "ey"}


def asking(**context: str) -> Any:
    """A daemon that wants an assertion for each token."""

    def handle(request: Request) -> Reply:
        if request.target == "/v1/apps":
            return answer(200, {"app": "a1"})
        if "client_assertion" in request.body:
            is_flow = request.target.startswith("/v1/flows/")
            return answer(200, {"state": "completed", "result": TOKEN} if is_flow else TOKEN)
        return refused("client_assertion_needed", 409, **ASKED, **context)

    return handle


class Maker:
    """A callable object, which remembers what it was called with."""

    def __init__(self) -> None:
        self.contexts: list[Any] = []

    def __call__(self, context: dict[str, str]) -> bytes:
        self.contexts.append(context)
        return b"assertion-1"


def test_the_application_makes_an_assertion_when_the_broker_needs_one(start_daemon: StartDaemon) -> None:
    daemon, make = start_daemon(asking(fmi_path="p")), Maker()
    app = confidential({"client_assertion": make})
    assert app.acquire_token_for_client(["r/.default"], fmi_path="p") == TOKEN
    assert make.contexts == [{**ASKED, "fmi_path": "p"}]
    asked, repeated = (request.body for request in daemon.requests[1:])
    assert repeated == {**asked, "client_assertion": "assertion-1"}


@pytest.mark.parametrize(
    ("function", "assertion"),
    [
        (lambda: "no parameter", "no parameter"),
        (lambda token="a default": token, "a default"),
        (lambda *rest, **names: f"{rest}{names}", "(){}"),
        (lambda context: context["client_id"], "client-1"),
        (lambda context, /: context["token_endpoint"], ASKED["token_endpoint"]),
        (msal.AutoRefresher(lambda: "refreshed"), "refreshed"),
    ],
)
def test_a_function_gets_the_context_when_it_has_a_place_for_it(
    start_daemon: StartDaemon, function: Any, assertion: str
) -> None:
    daemon = start_daemon(asking())
    confidential({"client_assertion": function}).acquire_token_for_client(["r/.default"])
    assert daemon.requests[-1].body["client_assertion"] == assertion


def test_a_redirect_is_completed_with_an_assertion_as_well(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(asking())
    app = confidential({"client_assertion": lambda: "assertion-1"})
    assert app.acquire_token_by_auth_code_flow({"_valetkey_flow": "f"}, {"code": "c"}) == TOKEN
    assert daemon.requests[-1].body == {"auth_response": {"code": "c"}, "client_assertion": "assertion-1"}


def test_what_the_function_raises_reaches_the_application_as_it_is(start_daemon: StartDaemon) -> None:
    class Unplugged(Exception):
        pass

    def fail() -> str:
        raise Unplugged("the key's card")

    start_daemon(asking())
    with pytest.raises(Unplugged) as caught:
        confidential({"client_assertion": fail}).acquire_token_for_client(["r/.default"])
    assert caught.value.__context__ is None


@pytest.mark.parametrize("nothing", [None, "", b""])
def test_a_function_that_makes_nothing_is_told(start_daemon: StartDaemon, nothing: Any) -> None:
    start_daemon(asking())
    with pytest.raises(ValueError, match="returned none"):
        confidential({"client_assertion": lambda: nothing}).acquire_token_for_client(["r/.default"])


def test_a_broker_that_is_never_content_is_not_asked_again_and_again(start_daemon: StartDaemon) -> None:
    needed = refused("client_assertion_needed", 409, **ASKED)
    daemon = start_daemon(lambda r: answer(200, {"app": "a1"}) if r.target == "/v1/apps" else needed)
    with pytest.raises(msal.BrokerError, match="client_assertion_needed"):
        confidential({"client_assertion": lambda: "a"}).acquire_token_for_client(["r/.default"])
    assert len(daemon.requests) == 3  # noqa: PLR2004


def test_no_secret_is_in_a_log_an_error_or_a_picture_of_an_object(
    start_daemon: StartDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    start_daemon(after_opening(lambda _: refused("bad_request")))
    app, told = confidential("s3cret"), list[str]()
    calls: tuple[Any, ...] = (
        lambda: app.acquire_token_for_client(["r/.default"]),
        lambda: app.acquire_token_on_behalf_of("s3cret", ["s"], session_key="s3cret"),
        lambda: app.acquire_token_by_username_password("ada", "s3cret", ["s"]),
        lambda: app.acquire_token_by_refresh_token("s3cret", ["s"]),
        lambda: app.acquire_token_by_user_federated_identity_credential(["s"], "s3cret", "ada"),
        lambda: app.acquire_token_for_client(["s"], forwarded_client_claims="s3cret"),
    )
    with caplog.at_level(logging.DEBUG):
        for call in calls:
            with pytest.raises(ValueError, match=r"why|JSON") as caught:
                call()
            told.append(str(caught.value))
    assert "cid-1" in caplog.text
    assert "s3cret" not in f"{caplog.text}{told}{app!r}{vars(app)['_app']!r}"


def test_an_auto_refresher_makes_one_value_for_all_threads_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made, together = 1000.0, [0], threading.Barrier(8)
    monkeypatch.setattr(time, "time", lambda: now)

    def make() -> int:
        made[0] += 1
        return made[0]

    refresher = msal.AutoRefresher(make, expires_in=60)
    values: list[int] = []

    def call() -> None:
        together.wait()
        values.append(refresher())

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [1] * 8
    now = 1059.0
    assert refresher() == 1
    now = 1060.0
    assert refresher() == 2  # noqa: PLR2004


@pytest.mark.parametrize("text", [PEM, PEM + PEM.lower(), f"Bag Attributes\n{PEM}\n", " untagged \n", KEY, ""])
def test_certificates_are_extracted_as_by_msal(text: str) -> None:
    theirs: Any = pytest.importorskip("msal.application", reason="msal is not installed: pip install msal==1.39.0")

    def outcome(extract: Any) -> Any:
        try:
            return extract(text)
        except ValueError:
            return ValueError

    assert outcome(extract_certs) == outcome(theirs.extract_certs)
