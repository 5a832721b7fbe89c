"""What defines an application: kind, region, network; and the connections that it is opened over."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

import valetkey as msal
from conftest import StartDaemon, after_opening, refused
from scripted_daemon import HANG_UP, Reply, Request, answer

TENANT = "https://login.microsoftonline.com/contoso"
TOKEN = {"access_token": "t", "token_source": "identity_provider"}
CERTIFICATES = [f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----" for text in ("b25l", "dHdv")]
REGIONS = Path(__file__).parents[3] / "tests" / "vectors" / "msal" / "region_validation.json"


def confidential(**options: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication("client-1", **{"client_credential": "s", "authority": TENANT, **options})


def definition_of(start_daemon: StartDaemon, **options: Any) -> Any:
    """The body of ``POST /v1/apps`` of an application with these options."""
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    confidential(**options).acquire_token_for_client(["r/.default"])
    return daemon.requests[0].body


@pytest.mark.parametrize(
    ("cls", "credential", "kind"),
    [
        (msal.PublicClientApplication, None, None),
        (msal.ConfidentialClientApplication, None, "confidential"),
        (msal.ConfidentialClientApplication, "s", "confidential"),
        (msal.ClientApplication, None, None),
        (msal.ClientApplication, "s", "confidential"),
    ],
)
def test_a_class_is_a_kind(start_daemon: StartDaemon, cls: Any, credential: Any, kind: str | None) -> None:
    daemon = start_daemon(lambda _: answer(200, {"app": "a1", "accounts": []}))
    cls("client-1", credential).get_accounts()
    assert daemon.requests[0].body.get("kind") == kind


DECLARED = {"app": "a1", "name": "reports", "kind": "confidential", "client_id": "client-1", "authority": TENANT}


def test_a_declared_application_is_opened_by_its_name_alone(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda request: answer(200, DECLARED if request.target == "/v1/apps" else TOKEN))
    app = msal.ConfidentialClientApplication.declared("reports")
    assert app.acquire_token_for_client(["r/.default"]) == TOKEN
    assert (app.client_id, app.authority.tenant, app.client_credential) == ("client-1", "contoso", None)
    assert {json.dumps(request.body) for request in daemon.requests if request.target == "/v1/apps"} == {
        json.dumps({"name": "reports"})
    }


@pytest.mark.parametrize(
    ("cls", "reply", "expected", "words"),
    [
        (msal.PublicClientApplication, (200, DECLARED), ValueError, "reports is declared as a confidential"),
        (msal.ConfidentialClientApplication, (200, {**DECLARED, "kind": "public"}), ValueError, "as a public"),
        (msal.ConfidentialClientApplication, (404, {"error": "unknown_app"}), msal.BrokerError, "unknown_app"),
        (msal.ConfidentialClientApplication, (403, {"error": "access_denied"}), msal.BrokerError, "access_denied"),
    ],
)
def test_a_declared_application_that_is_not_to_be_had_is_told_at_once(
    start_daemon: StartDaemon, cls: Any, reply: Any, expected: type[Exception], words: str
) -> None:
    start_daemon(lambda _: answer(*reply))
    with pytest.raises(expected, match=words):
        cls.declared("reports")


def test_windows_broker_is_not_for_confidential_clients() -> None:
    with pytest.raises(ValueError, match="allow_broker"):
        confidential(allow_broker=True)
    with pytest.warns(DeprecationWarning, match="allow_broker"):
        msal.PublicClientApplication("client-1", allow_broker=True)


def test_claims_to_sign_go_to_the_broker(start_daemon: StartDaemon) -> None:
    assert definition_of(start_daemon, client_claims={"client_ip": "x"})["client_claims"] == {"client_ip": "x"}


@pytest.mark.parametrize(
    ("azure_region", "environment", "expected"),
    [
        (None, {}, None),
        (None, {"REGION_NAME": "westus2"}, None),
        (None, {"MSAL_FORCE_REGION": "westus2"}, "westus2"),
        (False, {"MSAL_FORCE_REGION": "westus2"}, None),
        ("eastus", {"MSAL_FORCE_REGION": "westus2", "REGION_NAME": "westus2"}, "eastus"),
        (True, {}, True),
        (True, {"REGION_NAME": "westus2", "MSAL_FORCE_REGION": "eastus"}, "westus2"),
        (True, {"REGION_NAME": "West US 2"}, True),
    ],
)
def test_the_region_is_looked_for_in_the_applications_environment(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch, azure_region: Any, environment: Any, expected: Any
) -> None:
    for name in ("MSAL_FORCE_REGION", "REGION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert definition_of(start_daemon, azure_region=azure_region).get("azure_region") == expected


@pytest.mark.parametrize("case", json.loads(REGIONS.read_text("utf-8")), ids=lambda case: repr(case["region"])[:30])
def test_a_region_is_valid_when_msal_says_so(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome(**options: Any) -> bool:
        try:
            confidential(**options)
        except ValueError as error:
            return "REGION" not in str(error).upper()
        return True

    assert outcome(azure_region=case["region"]) == case["valid"]
    monkeypatch.setenv("MSAL_FORCE_REGION", case["region"])
    assert outcome() == case["valid"]
    assert outcome(client_credential=None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"timeout": 5}, {"timeout": 5.0}),
        ({"timeout": (3, 27.5)}, {"timeout": 30.5}),
        ({"timeout": (3, None)}, None),
        ({"proxies": {}}, None),
        (
            {"proxies": {"http": None, "https": "http://proxy.example:3128", "all": "socks5://p"}},
            {"proxies": {"https": "http://proxy.example:3128", "all": "socks5://p"}},
        ),
        ({"verify": "{folder}/ca.pem"}, {"ca_certificates": f"{CERTIFICATES[0]}\n"}),
        ({"verify": "{folder}"}, {"ca_certificates": "".join(f"{text}\n" for text in CERTIFICATES)}),
    ],
)
def test_what_the_application_says_of_the_network_crosses_the_socket(
    start_daemon: StartDaemon, tmp_path: Path, options: Any, expected: Any
) -> None:
    folder = tmp_path / "certificates"
    (folder / "more").mkdir(parents=True)
    (folder / "ca.pem").write_text(f"# Zoë's\n{CERTIFICATES[0]}\n", "utf-8")
    (folder / "again.0").write_text(CERTIFICATES[0])
    (folder / "two.pem").write_text(CERTIFICATES[1])
    if "verify" in options:
        options = {"verify": options["verify"].format(folder=folder)}
    assert definition_of(start_daemon, **options).get("network") == expected


@pytest.mark.parametrize(
    ("options", "error", "advice"),
    [
        ({"verify": False}, ValueError, "certificate of the authority that signed"),
        ({"verify": __file__.replace("test_definition", "conftest")}, ValueError, "no PEM certificate"),
        ({"verify": "/nonexistent.pem"}, FileNotFoundError, "nonexistent"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"timeout": (1, 2, 3)}, ValueError, "timeout"),
        ({"timeout": "5"}, ValueError, "timeout"),
        ({"timeout": True}, ValueError, "timeout"),
        ({"proxies": "http://proxy.example"}, ValueError, "proxies"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_advice(options: Any, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        confidential(**options)


def test_a_proxy_for_one_host_alone_is_told_to_have_no_effect() -> None:
    with pytest.warns(UserWarning, match="https://host.example"):
        confidential(proxies={"https://host.example": "http://p"})


class StrictDaemon:
    """Ties an application to the connections that opened it, as the real one does."""

    def __init__(self) -> None:
        self.opened: set[int] = set()
        self.together: threading.Barrier | None = None

    def __call__(self, request: Request) -> Reply:
        if request.target == "/v1/apps":
            self.opened.add(request.connection)
            return answer(200, {"app": "a1"})
        if request.connection not in self.opened:
            return refused("unknown_app" if "/apps/" in request.target else "unknown_flow", 404)
        if self.together:
            self.together.wait()
        return answer(200, {**TOKEN, "state": "completed", "result": TOKEN})


@pytest.mark.parametrize(("changes", "outcome"), [(3, "t"), (4, "unknown_app")])
def test_a_configuration_that_goes_on_changing_is_followed_for_a_while(
    start_daemon: StartDaemon, changes: int, outcome: str
) -> None:
    left = iter(range(changes))

    def reply(request: Request) -> Reply:
        if request.target == "/v1/apps":
            return answer(200, {"app": "a1"})
        return refused("unknown_app", 404) if next(left, None) is not None else answer(200, TOKEN)

    start_daemon(reply)
    app = confidential()
    try:
        result = app.acquire_token_for_client(["r/.default"])["access_token"]
    except msal.BrokerError as error:
        result = str(error)
    assert outcome in result


def test_threads_with_connections_of_their_own_use_one_application(start_daemon: StartDaemon) -> None:
    strict = StrictDaemon()
    daemon = start_daemon(strict)
    app = confidential()
    app.acquire_token_for_client(["r/.default"])
    # All are answered at once, so that each has a connection.
    strict.together = threading.Barrier(5)
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(app.acquire_token_on_behalf_of("ey", ["s"]))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["access_token"] for result in results] == ["t"] * 5
    openings = [request.connection for request in daemon.requests if request.target == "/v1/apps"]
    assert sorted(openings) == sorted(strict.opened)


def test_a_flow_is_found_over_a_connection_that_its_application_was_not_opened_over(start_daemon: StartDaemon) -> None:
    start_daemon(StrictDaemon())
    result = confidential().acquire_token_by_auth_code_flow({"_valetkey_flow": "f"}, {"code": "c"})
    assert result["access_token"] == "t"


def test_an_application_that_was_closed_by_others_is_opened_again(start_daemon: StartDaemon) -> None:
    strict = StrictDaemon()
    daemon = start_daemon(strict)
    app = confidential()
    app.acquire_token_for_client(["r/.default"])
    strict.opened.clear()
    assert app.acquire_token_for_client(["r/.default"])["access_token"] == "t"
    assert {request.connection for request in daemon.requests} == {1}


def test_a_restart_is_no_business_of_the_applications(start_daemon: StartDaemon) -> None:
    strict = StrictDaemon()
    daemon = start_daemon(strict)
    app = confidential()
    app.acquire_token_for_client(["r/.default"])
    daemon.hang_up()
    assert app.acquire_token_for_client(["r/.default"])["access_token"] == "t"
    assert [request.target.rpartition("/")[2] for request in daemon.requests] == ["apps", "token"] * 2


def test_a_connection_that_the_broker_is_about_to_close_is_not_used_for_what_cannot_be_repeated(
    start_daemon: StartDaemon,
) -> None:
    last, strict = [True], StrictDaemon()

    def handle(request: Request) -> Reply:
        if request.target == "/v1/apps" and last and last.pop():
            strict(request)
            return answer(200, {"app": "a1"}, "connection: close\r\n")
        return strict(request)

    daemon = start_daemon(handle)
    assert confidential().acquire_token_for_client(["r/.default"])["access_token"] == "t"
    assert [request.connection for request in daemon.requests] == [1, 2, 2]


def test_an_applications_own_token_is_not_asked_for_twice_of_a_daemon_that_hangs_up(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: HANG_UP))
    with pytest.raises(msal.BrokerUnreachableError):
        confidential().acquire_token_for_client(["r/.default"])
    # Over the kept connection, which may just have been closed, and over a new one.
    assert [request.target for request in daemon.requests].count("/v1/apps/a1/token") == 2  # noqa: PLR2004


@pytest.mark.parametrize(("pii", "shown"), [(None, "********"), (True, "ada@contoso.com")])
def test_a_persons_name_is_logged_when_the_application_asks_for_it(
    start_daemon: StartDaemon, caplog: pytest.LogCaptureFixture, pii: bool | None, shown: str
) -> None:
    start_daemon(after_opening(lambda r: answer(200, {**TOKEN, "accounts": []})))
    app = confidential(enable_pii_log=pii)
    with caplog.at_level(logging.DEBUG):
        app.get_accounts("ada@contoso.com")
        app.acquire_token_silent(["s"], {"home_account_id": "u.t", "username": "ada@contoso.com"})
    told = [record.getMessage() for record in caplog.records if record.name.startswith("valetkey.")]
    assert [shown in text for text in told] == [True, True]
    assert ("ada" in caplog.text) == bool(pii)
