"""Applications: what is checked in this process, and MSAL's manners that a vector cannot show."""

from __future__ import annotations

import functools
import logging
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import valetkey as msal
from conftest import StartDaemon, after_opening, refused
from scripted_daemon import Reply, Request, answer
from valetkey.authority import AuthorityBuilder

CONTOSO = "https://login.microsoftonline.com/contoso"
ADA = {"home_account_id": "uid.utid", "username": "ada@contoso.com"}
PENDING = {
    "flow": "flow-1",
    "state": "pending",
    "expires_at": 4102444800,
    "correlation_id": "cid-1",
    "auth_uri": "https://login.example/authorize?login_hint=ada%40contoso.com",
    "device": {"user_code": "ABCD"},
}


def public(**options: Any) -> msal.PublicClientApplication:
    return msal.PublicClientApplication("client-1", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"client_credential": "secret"},
        {"client_credential": ""},
        {"exclude_scopes": "offline_access"},
        {"exclude_scopes": ["openid"]},
        {"authority": CONTOSO, "oidc_authority": "https://id.example/realm"},
        {"authority": "http://login.microsoftonline.com/contoso"},
        {"authority": "https://login.microsoftonline.com"},
        {"authority": "contoso"},
        {"oidc_authority": "http://id.example/realm"},
        {"azure_region": "West US"},
    ],
)
def test_a_wrong_definition_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"authority|client_credential|exclude_scopes|azure_region"):
        public(**options)


@pytest.mark.parametrize(
    ("options", "instance", "tenant"),
    [
        ({}, "login.microsoftonline.com", "common"),
        ({"authority": AuthorityBuilder("login.example", "t")}, "login.example", "t"),
        ({"authority": "https://contoso.ciamlogin.com"}, "contoso.ciamlogin.com", "contoso.onmicrosoft.com"),
        ({"authority": "http://127.0.0.1:8080/realm"}, "127.0.0.1", "realm"),
        ({"oidc_authority": "https://accounts.example"}, "accounts.example", ""),
        ({"enable_broker_on_windows": True, "azure_region": "westus2"}, "login.microsoftonline.com", "common"),
    ],
)  # fmt: skip
def test_an_application_knows_its_authority(options: dict[str, Any], instance: str, tenant: str) -> None:
    authority = public(**options).authority
    assert (authority.instance, authority.tenant) == (instance, tenant)


def test_what_cannot_cross_the_socket_is_accepted_with_one_advice() -> None:
    with pytest.warns(UserWarning, match="http_client and http_cache: no effect, .* verify, proxies") as caught:
        public(http_client=object(), http_cache={})
    assert [warning.filename for warning in caught] == [__file__]


def test_a_cache_of_another_library_is_accepted_with_advice() -> None:
    with pytest.warns(UserWarning, match="SerializableTokenCache takes"):
        assert type(public(token_cache=object()).token_cache) is not object


def test_construction_contacts_nobody(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    public(authority=CONTOSO)
    assert daemon.requests == []


def test_scopes_are_checked_as_in_msal() -> None:
    app = public()
    assert app.acquire_token_silent("User.Read", account=None) is None  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        app.acquire_token_silent(("User.Read",), account=ADA)  # type: ignore[arg-type]
    begin = functools.partial(app.initiate_auth_code_flow, response_mode="form_post")
    for call in (app.initiate_device_flow, begin, app.acquire_token_interactive):
        with pytest.raises(ValueError, match="scopes"):
            call("User.Read")


def test_a_code_in_an_address_is_advised_against() -> None:
    with pytest.warns(UserWarning, match="form_post"), pytest.raises(msal.BrokerUnreachableError):
        public().initiate_auth_code_flow(["s"], response_mode="query")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"auth_scheme": object()}, ValueError),
        ({"forwarded_client_claims": "[]"}, ValueError),
        ({"forwarded_client_claims": {}}, ValueError),
        ({"data": {"token_type": "ssh-cert"}}, ValueError),
        ({"data": {"list": ["of", "several"]}}, ValueError),
        ({"params": {"dc": "x"}}, ValueError),
        ({"force_refesh": True}, TypeError),
    ],
)
def test_what_would_change_the_token_is_not_dropped_in_silence(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="|".join(options)):
        public().acquire_token_silent(["s"], ADA, **options)


@pytest.mark.usefixtures("finished_at_once")
def test_a_page_of_the_applications_own_is_accepted_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _uri: True)
    with pytest.warns(UserWarning, match="success_template has no effect"):
        result = public().acquire_token_interactive(["s"], success_template="done", parent_window_handle=1)
    assert result == {"access_token": "t"}


def test_a_refusal_is_none_without_error_and_a_dictionary_with_it(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: refused("invalid_grant", suberror="x", classification="x")))
    app = public()
    assert app.acquire_token_silent(["s"], ADA) is None
    refusal = app.acquire_token_silent_with_error(["s"], ADA)
    assert refusal is not None
    assert (refusal["error"], refusal["classification"]) == ("invalid_grant", "x")


def test_an_account_has_all_members_of_msal(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: answer(200, {"accounts": [{**ADA, "a_newer_member": 1}]})))
    (account,) = public().get_accounts()
    assert list(account) == [
        "home_account_id", "environment", "username", "account_source", "authority_type", "local_account_id", "realm",
    ]  # fmt: skip
    assert account["account_source"] is None


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("access_denied", 403, msal.BrokerError),
        ("store_unavailable", 503, msal.BrokerError),
        ("shutting_down", 503, msal.BrokerError),
        ("too_many_requests", 429, msal.BrokerError),
        ("a_newer_fault", 500, msal.BrokerError),
        ("provider_misbehaved", 502, msal.MsalServiceError),
        ("provider_unreachable", 502, OSError),
        ("invalid_authority", 400, ValueError),
    ],
)
def test_calls_without_an_error_dictionary_raise(
    start_daemon: StartDaemon, code: str, status: int, error: type[Exception]
) -> None:
    start_daemon(after_opening(lambda _: refused(code, status, hint="do this")))
    app = public()
    begin = lambda: app.initiate_auth_code_flow(["s"], response_mode="form_post")  # noqa: E731
    for call in (app.get_accounts, lambda: app.remove_account(ADA), begin):
        with pytest.raises(error, match="do this"):
            call()


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(msal.BrokerError("text", error="store_locked", correlation_id="cid-1")))
    assert (str(error), error.error, error.correlation_id) == ("text", "store_locked", "cid-1")


def test_a_device_flow_that_could_not_start_has_the_four_members_too(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: refused("invalid_client")))
    flow = public().initiate_device_flow()
    assert {"error", "interval", "expires_in", "expires_at", "_correlation_id"} <= flow.keys()
    with pytest.raises(KeyError, match="device_code"):
        public().acquire_token_by_device_flow(flow)


def test_form_fields_reach_a_device_flow_before_it_is_waited_for_and_once(start_daemon: StartDaemon) -> None:
    def handle(request: Request) -> Reply:
        done = {**PENDING, "state": "completed", "result": {"access_token": "t"}}
        return answer(200, done if "wait" in request.target else PENDING)

    daemon = start_daemon(after_opening(handle))
    app = public()
    flow = app.initiate_device_flow(["s"])
    for _ in range(2):
        assert app.acquire_token_by_device_flow(flow, data={"n": 1, "none": None}) == {"access_token": "t"}
    told = [(request.target.split("?")[0], request.body) for request in daemon.requests[2:]]
    polled = ("/v1/flows/flow-1", None)
    assert told == [("/v1/flows/flow-1/complete", {"data": {"n": "1"}}), polled, polled]


def test_another_thread_ends_a_device_flow(start_daemon: StartDaemon) -> None:
    polled = threading.Event()

    def handle(request: Request) -> Reply:
        if request.method == "GET":
            polled.set()
        return answer(200, PENDING)

    daemon = start_daemon(after_opening(handle))
    app = public()
    flow = app.initiate_device_flow(["s"])
    assert isinstance(flow["expires_at"], float)

    def end_it() -> None:
        polled.wait()
        flow["expires_at"] = 0

    other = threading.Thread(target=end_it)
    other.start()
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_pending"
    other.join()
    waits = [request.target.partition("?")[2] for request in daemon.requests if request.method == "GET"]
    assert waits[0] == "wait=0"
    assert set(waits[1:]) <= {"wait=1"}


def test_an_exit_condition_is_asked_between_two_polls(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, PENDING)))
    app = public()
    flow = app.initiate_device_flow(["s"])
    asked: list[Any] = []

    def third_time(flow: Any) -> bool:
        asked.append(flow)
        return len(asked) == 3  # noqa: PLR2004

    result = app.acquire_token_by_device_flow(flow, exit_condition=third_time)
    assert result["correlation_id"] == "cid-1"
    assert asked == [flow] * 3
    assert len([r for r in daemon.requests if r.method == "GET"]) == 3  # noqa: PLR2004


def test_claims_for_a_device_flow_that_has_begun_are_not_dropped_in_silence(start_daemon: StartDaemon) -> None:
    start_daemon(
        after_opening(lambda _: answer(200, {**PENDING, "state": "completed", "result": {"access_token": "t"}}))
    )
    with pytest.warns(UserWarning, match="initiate_device_flow"):
        public().acquire_token_by_device_flow({"device_code": "flow-1"}, claims_challenge="{}")


def test_a_redirect_of_a_multi_valued_mapping_is_handed_in_with_one_value_each(start_daemon: StartDaemon) -> None:
    class MultiDict(dict):  # type: ignore[type-arg]
        def __getitem__(self, name: str) -> str:
            return str(super().__getitem__(name)[0])

    done = {**PENDING, "state": "completed", "result": {"access_token": "t"}}
    daemon = start_daemon(after_opening(lambda _: answer(200, done)))
    public().acquire_token_by_auth_code_flow({"_valetkey_flow": "flow-1"}, MultiDict(code=["c"], state=["s"]))
    assert daemon.requests[-1].body == {"auth_response": {"code": "c", "state": "s"}}


def test_a_redirect_without_its_flow_is_refused() -> None:
    with pytest.raises(ValueError, match="initiate_auth_code_flow"):
        public().acquire_token_by_auth_code_flow({}, {"code": "c"})
    with pytest.raises(AssertionError):
        public().acquire_token_by_auth_code_flow({}, "code=c")  # type: ignore[arg-type]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Lets Ctrl-C interrupt also where whoever started the tests had it ignored, as a shell does behind ``&``."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("way", ["device code", "browser"])
def test_ctrl_c_while_the_person_signs_in_cancels_the_sign_in(start_daemon: StartDaemon, way: str) -> None:
    # Joined, so that no browser is opened.
    pending = {**PENDING, "joined": True}

    def handle(request: Request) -> Reply:
        if request.method == "GET":
            os.kill(os.getpid(), signal.SIGINT)
        return answer(204) if request.method == "DELETE" else answer(200, pending)

    daemon = start_daemon(after_opening(handle))
    app = public()
    with pytest.raises(KeyboardInterrupt):
        if way == "browser":
            app.acquire_token_interactive(["s"])
        else:
            app.acquire_token_by_device_flow(app.initiate_device_flow(["s"]))
    assert (daemon.requests[-1].method, daemon.requests[-1].target) == ("DELETE", "/v1/flows/flow-1")


def test_an_exit_condition_that_holds_leaves_the_device_flow_to_the_next_call(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, PENDING)))
    app = public()
    flow = app.initiate_device_flow(["s"])
    for _ in range(2):
        assert app.acquire_token_by_device_flow(flow, exit_condition=bool)["error"] == "authorization_pending"
    assert [request.method for request in daemon.requests] == ["POST", "POST", "GET", "GET"]


def test_ctrl_c_cancels_the_sign_in_that_it_began(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda r: answer(204) if r.method == "DELETE" else answer(200, PENDING)))

    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        public().acquire_token_interactive(["s"], on_before_launching_ui=interrupt)
    assert (daemon.requests[-1].method, daemon.requests[-1].target) == ("DELETE", "/v1/flows/flow-1")


def test_the_callers_own_time_out_counts_in_a_joined_sign_in_and_takes_it_out(start_daemon: StartDaemon) -> None:
    joined = {**PENDING, "joined": True}
    daemon = start_daemon(after_opening(lambda r: answer(204) if r.method == "DELETE" else answer(200, joined)))
    with pytest.raises(msal.BrowserInteractionTimeoutError):
        public().acquire_token_interactive(["s"], timeout=0)
    assert [request.method for request in daemon.requests] == ["POST", "POST", "DELETE"]


@pytest.fixture
def finished_at_once(start_daemon: StartDaemon) -> None:
    done = {**PENDING, "state": "completed", "result": {"access_token": "t"}}
    start_daemon(after_opening(lambda r: answer(200, PENDING if r.method == "POST" else done)))


@pytest.mark.usefixtures("finished_at_once")
def test_without_a_browser_the_application_gets_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _uri: False)
    told: list[Any] = []

    def launching(*, ui: str) -> None:
        told.append(ui)

    public().acquire_token_interactive(["s"], auth_uri_callback=told.append, on_before_launching_ui=launching)
    assert told == ["browser", PENDING["auth_uri"]]


@pytest.mark.usefixtures("finished_at_once")
def test_without_a_browser_or_a_callback_the_person_gets_the_address_and_the_log_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _uri: False)
    with caplog.at_level(logging.DEBUG):
        public().acquire_token_interactive(["s"], login_hint="ada@contoso.com")
    assert str(PENDING["auth_uri"]) in capsys.readouterr().err
    assert "no browser" in caplog.text
    assert "ada" not in caplog.text


@pytest.mark.usefixtures("finished_at_once")
def test_the_browser_that_the_environment_names_is_opened(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    # The module remembers the browsers it found at its first use.
    monkeypatch.setattr("webbrowser._tryorder", None)
    public().acquire_token_interactive(["s"])
    assert seen.read_text() == PENDING["auth_uri"]
    assert os.environ["BROWSER"].endswith("%s")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "https://x/\n--flag", "calc.exe"])
def test_what_is_no_page_is_not_given_to_a_browser(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    done = {**PENDING, "state": "completed", "result": {"access_token": "t"}}
    begun = {**PENDING, "auth_uri": address}
    start_daemon(after_opening(lambda r: answer(200, begun if r.method == "POST" else done)))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    public().acquire_token_interactive(["s"], auth_uri_callback=lambda _uri: None)
    assert opened == []


def test_nothing_secret_is_logged(start_daemon: StartDaemon, caplog: pytest.LogCaptureFixture) -> None:
    start_daemon(
        after_opening(lambda r: refused("invalid_grant") if "token" in r.target else answer(200, {"accounts": []}))
    )
    with caplog.at_level(logging.DEBUG):
        app = public()
        app.get_accounts("ada@contoso.com")
        app.acquire_token_silent(["s"], ADA)
    assert "cid-1" in caplog.text
    assert "ada" not in caplog.text
