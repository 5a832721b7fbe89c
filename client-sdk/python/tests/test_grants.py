"""Grants beside the silent one: MSAL's arguments, what crosses the socket, and MSAL's exceptions and warnings."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import valetkey as msal
from conftest import StartDaemon, after_opening, refused
from scripted_daemon import Reply, Request, answer

TENANT = "https://login.microsoftonline.com/contoso"
ADA = {"home_account_id": "uid.utid", "username": "ada@contoso.com"}
TOKEN = {"access_token": "t", "token_source": "identity_provider"}
CLAIMS = '{"access_token":{}}'


def confidential(**options: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication("client-1", "s3cret", **{"authority": TENANT, **options})


def public(**options: Any) -> msal.PublicClientApplication:
    return msal.PublicClientApplication("client-1", **options)


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("acquire_token_for_client", {"scopes": ["r/.default"]}, {"grant": "client_credentials"}),
        (
            "acquire_token_for_client",
            {
                "scopes": ["r/.default"],
                "claims_challenge": CLAIMS,
                "fmi_path": "a/b",
                "forwarded_client_claims": '{ "a": 1}',
                "data": {"client_session": "x", "n": 1, "none": None},
                "force_refresh": False,
            },
            {
                "grant": "client_credentials",
                "claims_challenge": CLAIMS,
                "fmi_path": "a/b",
                "forwarded_client_claims": '{ "a": 1}',
                "data": {"client_session": "x", "n": "1"},
            },
        ),
        (
            "acquire_token_for_client",
            {"scopes": ["r/.default"], "data": {"fmi_path": "a/b"}},
            {"grant": "client_credentials", "fmi_path": "a/b"},
        ),
        (
            "acquire_token_on_behalf_of",
            {"user_assertion": "ey", "scopes": {"s"}, "claims_challenge": CLAIMS, "forwarded_client_claims": "{}"},
            {
                "grant": "on_behalf_of",
                "user_assertion": "ey",
                "claims_challenge": CLAIMS,
                "forwarded_client_claims": "{}",
            },
        ),
        (
            "acquire_token_on_behalf_of",
            {"user_assertion": None, "scopes": ["s"], "session_key": "k"},
            {"grant": "on_behalf_of", "session_key": "k"},
        ),
        (
            "acquire_token_by_username_password",
            {"username": "ada", "password": "p", "scopes": ("s",), "claims_challenge": CLAIMS},
            {"grant": "password", "username": "ada", "password": "p", "claims_challenge": CLAIMS},
        ),
        (
            "acquire_token_by_refresh_token",
            {"refresh_token": "rt", "scopes": ["s"]},
            {"grant": "refresh_token", "refresh_token": "rt"},
        ),
        (
            "acquire_token_by_user_federated_identity_credential",
            {"scopes": ["s"], "assertion": "ey", "username": "ada"},
            {"grant": "user_federated_credential", "federated_credential": "ey", "username": "ada"},
        ),
        (
            "acquire_token_by_user_federated_identity_credential",
            {"scopes": ["s"], "assertion": "ey", "user_object_id": "oid", "forwarded_client_claims": "{}"},
            {
                "grant": "user_federated_credential",
                "federated_credential": "ey",
                "user_object_id": "oid",
                "forwarded_client_claims": "{}",
            },
        ),
        (
            "acquire_token_silent",
            {"scopes": ["s"], "account": ADA, "forwarded_client_claims": "{}", "data": {"key_id": "k"}},
            {"account": "uid.utid", "forwarded_client_claims": "{}", "data": {"key_id": "k"}},
        ),
        (
            "acquire_token_silent",
            {"scopes": ["s"], "account": ADA, "auth_scheme": msal.PopAuthScheme("GET", "https://api.example/x", "n")},
            {
                "account": "uid.utid",
                "auth_scheme": {"http_method": "GET", "url": "https://api.example/x", "nonce": "n"},
            },
        ),
    ],
)
def test_a_call_becomes_a_request(start_daemon: StartDaemon, call: str, arguments: Any, expected: Any) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    assert getattr(confidential(), call)(**arguments) == TOKEN
    assert daemon.requests[-1].body == {"scopes": list(arguments["scopes"]), **expected}


@pytest.mark.parametrize(
    ("call", "arguments", "error"),
    [
        ("acquire_token_for_client", {"scopes": ["s"], "force_refresh": True}, ValueError),
        ("acquire_token_for_client", {"scopes": ["s"], "fmi_path": 1}, ValueError),
        ("acquire_token_for_client", {"scopes": "s"}, AssertionError),
        ("acquire_token_for_client", {"scopes": ["s"], "forwarded_client_claims": 1}, ValueError),
        ("acquire_token_for_client", {"scopes": ["s"], "forwarded_client_claims": "{"}, ValueError),
        ("acquire_token_on_behalf_of", {"user_assertion": "", "scopes": ["s"]}, ValueError),
        ("acquire_token_on_behalf_of", {"user_assertion": "ey", "scopes": "s"}, ValueError),
        ("acquire_token_by_refresh_token", {"refresh_token": "rt", "scopes": "s"}, ValueError),
        ("acquire_token_by_authorization_code", {"code": "c", "scopes": ("s",)}, AssertionError),
        (
            "acquire_token_by_username_password",
            {"username": "a", "password": "p", "scopes": ["s"], "auth_scheme": object()},
            ValueError,
        ),
        ("acquire_token_by_user_federated_identity_credential", {"scopes": ["s"], "assertion": ""}, ValueError),
        ("acquire_token_by_user_federated_identity_credential", {"scopes": ["s"], "assertion": "e"}, ValueError),
        (
            "acquire_token_by_user_federated_identity_credential",
            {"scopes": ["s"], "assertion": "e", "username": "a", "user_object_id": "o"},
            ValueError,
        ),
        ("acquire_token_silent", {"scopes": ["s"], "account": ADA, "auth_scheme": object()}, ValueError),
    ],
)
def test_a_wrong_call_raises_as_in_msal_and_sends_nothing(
    start_daemon: StartDaemon, call: str, arguments: Any, error: type[Exception]
) -> None:
    daemon = start_daemon(lambda _: answer(200, TOKEN))
    with pytest.raises(error):
        getattr(confidential(), call)(**arguments)
    assert daemon.requests == []


def test_in_cloud_shell_the_shell_is_asked_and_no_browser_opened(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_shell, shared = {**ADA, "authority_type": "CLOUDSHELL"}, {"home_account_id": "b", "authority_type": "MSSTS"}
    opened: list[str] = []

    def serve(request: Request) -> Reply:
        if request.target == "/v1/apps":
            opened.append(request.body.get("cloud_shell_endpoint", "none"))
            return answer(200, {"app": f"a{len(opened)}"})
        is_shell = opened[int(request.target.split("/")[3][1:]) - 1] != "none"
        # One that the other cache has as well is shown once, with its refresh token.
        accounts = [at_shell, shared] if is_shell else [shared]
        return answer(200, {"accounts": accounts} if "/accounts" in request.target else TOKEN)

    daemon = start_daemon(serve)
    monkeypatch.setenv("MSI_ENDPOINT", "http://localhost:1/elsewhere")
    assert [account["home_account_id"] for account in public().get_accounts()] == ["b"]
    assert opened == ["none"]
    monkeypatch.delenv("MSI_ENDPOINT")
    monkeypatch.setenv("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0")
    assert public().acquire_token_interactive(["s"], prompt="none") == TOKEN
    assert (opened.pop(), daemon.requests[-1].body) == (
        "http://localhost:50342/oauth2/token",
        {"grant": "cloud_shell", "scopes": ["s"]},
    )
    monkeypatch.setenv("MSI_ENDPOINT", "http://localhost:1/token")
    app = public()
    app.acquire_token_interactive(["s"], prompt="none", data={"key_id": "k"})
    assert (opened[-1], daemon.requests[-1].body["data"]) == ("http://localhost:1/token", {"key_id": "k"})
    other, account = app.get_accounts()
    assert (other["home_account_id"], account["home_account_id"]) == ("b", "uid.utid")
    for asked, place in [(account, "http://localhost:1/token"), (other, "none")]:
        app.acquire_token_silent(["s"], asked)
        target, body = daemon.requests[-1].target, daemon.requests[-1].body
        assert body == {"scopes": ["s"], "account": asked["home_account_id"]}
        assert opened[int(target.split("/")[3][1:]) - 1] == place


@pytest.mark.parametrize("tenant", ["common", "Organizations"])
def test_a_token_of_no_tenants_own_is_advised_against(start_daemon: StartDaemon, tenant: str) -> None:
    start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    app = confidential(authority=f"https://login.microsoftonline.com/{tenant}")
    with pytest.warns(DeprecationWarning, match=tenant) as caught:
        app.acquire_token_for_client(["r/.default"])
    assert caught[0].filename == __file__


def test_a_password_of_a_public_client_is_advised_against(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    with pytest.warns(DeprecationWarning, match="password"):
        assert public().acquire_token_by_username_password("ada", "p", ["s"]) == TOKEN


def test_a_refusal_of_an_applications_own_token_is_classified_and_a_users_is_not(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: refused("invalid_grant", suberror="x", classification="x")))
    assert confidential().acquire_token_for_client(["r/.default"])["classification"] == "x"
    assert "classification" not in confidential().acquire_token_on_behalf_of("ey", ["s"])


def test_an_applications_own_tokens_are_forgotten(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(204)))
    confidential().remove_tokens_for_client()
    assert (daemon.requests[-1].method, daemon.requests[-1].target) == ("DELETE", "/v1/apps/a1/tokens")


def test_tokens_that_cannot_be_forgotten_are_told(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: refused("store_locked", 423)))
    with pytest.raises(msal.BrokerError, match="store_locked"):
        confidential().remove_tokens_for_client()


@pytest.mark.parametrize(
    ("own", "other", "tenant", "warns"),
    [
        (TENANT, "https://login.microsoftonline.com/fabrikam", "fabrikam", False),
        (TENANT, "https://LOGIN.microsoftonline.com/fabrikam/", "fabrikam", False),
        (TENANT, TENANT, None, False),
        (TENANT, "https://login.microsoftonline.us/fabrikam", None, True),
        (TENANT, "https://login.microsoftonline.com/fabrikam/policy", None, True),
        (TENANT, "fabrikam", None, True),
        ("https://fs.contoso.com/adfs", "https://fs.contoso.com/other", None, True),
    ],
)
def test_a_silent_call_may_name_another_tenant(
    start_daemon: StartDaemon, own: str, other: str, tenant: str | None, warns: bool
) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    with pytest.warns(UserWarning, match="authority has no effect") if warns else contextlib.nullcontext():
        public(authority=own).acquire_token_silent(["s"], ADA, authority=other)
    assert daemon.requests[-1].body.get("tenant") == tenant


def page_of(request: Request) -> Reply:
    """A flow's page, as the broker builds it."""
    if request.method == "DELETE":
        return answer(204)
    page = (
        "https://login.example/authorize?p=policy&client_id=client-1&response_type=code&code_challenge=cc"
        "&code_challenge_method=S256&state=broker&nonce=hash&client_info=1&scope=openid+s&claims=%7B%7D"
    )
    return answer(200, {"flow": "f/1", "state": "pending", "auth_uri": page})


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        ({"state": "mine", "nonce": "n"}, {"response_type": "code", "state": "mine", "nonce": "n"}),
        ({"response_type": "id_token"}, {"response_type": "id_token"}),
    ],
)
def test_the_page_of_an_application_that_redeems_by_itself_has_no_half_of_a_flow(
    start_daemon: StartDaemon, arguments: Any, own: Any
) -> None:
    daemon = start_daemon(after_opening(page_of))
    with pytest.warns(DeprecationWarning, match="initiate_auth_code_flow"):
        page = confidential().get_authorization_request_url(
            ["s"], login_hint="ada", redirect_uri="https://app.example/back", claims_challenge="{}", **arguments
        )
    query = dict(parse_qsl(urlsplit(page).query))
    assert query == {"p": "policy", "client_id": "client-1", "scope": "openid s", "claims": "{}", **own}
    begun, cancelled = daemon.requests[1:]
    assert begun.body == {
        "kind": "auth_code",
        "scopes": ["s"],
        "redirect_uri": "https://app.example/back",
        "login_hint": "ada",
        "claims_challenge": "{}",
    }
    assert (cancelled.method, cancelled.target) == ("DELETE", "/v1/flows/f%2F1")


def test_a_code_without_a_flow_is_redeemed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    with pytest.warns(DeprecationWarning, match="acquire_token_by_auth_code_flow"):
        assert confidential().acquire_token_by_authorization_code("c", ["s"], "https://app.example", "n") == TOKEN
    assert daemon.requests[-1].body == {
        "grant": "authorization_code",
        "scopes": ["s"],
        "code": "c",
        "redirect_uri": "https://app.example",
        "nonce": "n",
    }


def test_a_code_with_another_nonce_is_misuse_as_in_msal(start_daemon: StartDaemon) -> None:
    start_daemon(after_opening(lambda _: refused("nonce_mismatch")))
    with pytest.warns(DeprecationWarning), pytest.raises(ValueError, match="why"):
        confidential().acquire_token_by_authorization_code("c", ["s"], nonce="n")


@pytest.mark.parametrize(
    ("http_method", "url", "nonce"),
    [(None, None, None), ("GET", "u", None), ("get", "u", "n"), ("HEAD", "u", "n"), ("POST", "u", "n")],
)
def test_a_scheme_is_checked_as_by_msal(http_method: Any, url: Any, nonce: Any) -> None:
    theirs: Any = pytest.importorskip("msal", reason="msal is not installed: pip install msal==1.39.0")

    def outcome(scheme: Any) -> Any:
        try:
            return scheme(http_method, url, nonce) is not None
        except ValueError:
            return ValueError

    assert outcome(msal.PopAuthScheme) == outcome(theirs.PopAuthScheme)


def test_a_sign_in_may_prove_possession_at_once(start_daemon: StartDaemon) -> None:
    proven = {"access_token": "signed", "token_type": "pop"}
    done = {"flow": "f", "state": "completed", "auth_uri": "", "result": proven}
    daemon = start_daemon(after_opening(lambda _: answer(200, done)))
    scheme = msal.PopAuthScheme("GET", "https://api.example/x", "n")
    app = public()
    assert app.is_pop_supported()
    assert app.acquire_token_interactive(["s"], auth_scheme=scheme) == proven
    started = next(request for request in daemon.requests if request.target.endswith("/flows"))
    assert started.body["auth_scheme"] == {"http_method": "GET", "url": "https://api.example/x", "nonce": "n"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_password_may_prove_possession_at_once(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, {"access_token": "signed", "token_type": "pop"})))
    scheme = msal.PopAuthScheme("GET", "https://api.example/x", "n")
    public().acquire_token_by_username_password("ada", "secret", ["s"], auth_scheme=scheme)
    assert daemon.requests[-1].body["auth_scheme"]["nonce"] == "n"


def test_a_proof_is_signed_for_one_request(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, {"proof": "ey.ey.sig"})))
    app = msal.PublicClientApplication("cid", oidc_authority="https://op.example", dpop=True)
    assert msal.sign_dpop_proof(app, "at", "GET", "https://api.example/x") == "ey.ey.sig"
    assert msal.sign_dpop_proof(app, "at", "GET", "https://api.example/x", nonce="n") == "ey.ey.sig"
    opened, first, second = daemon.requests
    assert opened.body["dpop"] is True
    wanted = {"access_token": "at", "http_method": "GET", "url": "https://api.example/x"}
    assert (first.body, second.body) == (wanted, {**wanted, "nonce": "n"})
    assert first.target.endswith("/proofs")


@pytest.mark.parametrize("arguments", [("", "GET", "https://a"), ("at", "", "https://a"), ("at", "GET", "")])
def test_a_proof_needs_to_know_the_request(start_daemon: StartDaemon, arguments: Any) -> None:
    daemon = start_daemon(lambda _: answer(200, {}))
    app = msal.PublicClientApplication("cid", oidc_authority="https://op.example", dpop=True)
    with pytest.raises(ValueError, match="are all needed"):
        msal.sign_dpop_proof(app, *arguments)
    assert not daemon.requests


def test_confidential_clients_do_not_prove_possession_in_msal() -> None:
    assert not confidential().is_pop_supported()


def test_each_call_takes_no_keyword_that_it_does_not_know() -> None:
    app, unknown = confidential(), pytest.raises(TypeError, match="unexpected keyword")
    with unknown:
        app.acquire_token_for_client(["s"], fmi_pth="x")
    with unknown:
        app.acquire_token_on_behalf_of("ey", ["s"], session="x")
    with unknown:
        app.acquire_token_by_refresh_token("rt", ["s"], account=ADA)
