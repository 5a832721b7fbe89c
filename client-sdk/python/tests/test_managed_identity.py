"""Managed identities: what is found in the application's environment, and what crosses the socket."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

import valetkey as msal
import valetkey.managed_identity as ours
from conftest import StartDaemon, after_opening, refused
from scripted_daemon import answer

VARIABLES = (
    "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
    "DEFAULT_IDENTITY_CLIENT_ID", "AZUREPS_HOST_ENVIRONMENT", "AZURE_POD_IDENTITY_AUTHORITY_HOST",
)  # fmt: skip
TOKEN = {"access_token": "t", "token_source": "identity_provider"}
THUMBPRINT = "A1B2C3D4E5F60718293A4B5C6D7E8F9011223344"
APP_SERVICE = {"IDENTITY_ENDPOINT": "http://127.0.0.1:41241/msi/token", "IDENTITY_HEADER": "h"}
FABRIC = {**APP_SERVICE, "IDENTITY_ENDPOINT": "https://f.example:2377", "IDENTITY_SERVER_THUMBPRINT": THUMBPRINT}
ARC = {"IDENTITY_ENDPOINT": "http://localhost:40342/x", "IMDS_ENDPOINT": "http://localhost:40342"}
MACHINE_LEARNING = {"MSI_ENDPOINT": "http://ml.example", "MSI_SECRET": "s"}
SYSTEM = msal.SystemAssignedManagedIdentity()


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def client(identity: Any = SYSTEM, **options: Any) -> msal.ManagedIdentityClient:
    return msal.ManagedIdentityClient(identity, http_client=None, **options)


def definition_of(start_daemon: StartDaemon, identity: Any = SYSTEM, **options: Any) -> Any:
    """The body of ``POST /v1/apps``, of a client in the present environment."""
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    assert client(identity, **options).acquire_token_for_client(resource="https://vault.azure.net") == TOKEN
    return daemon.requests[0].body


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        ({}, {"type": "imds"}),
        ({"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://pod/"}, {"type": "imds", "endpoint": "http://pod"}),
        ({"AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"}, {"type": "imds"}),
        (APP_SERVICE, {"type": "app_service", "endpoint": APP_SERVICE["IDENTITY_ENDPOINT"], "header": "h"}),
        (
            {**FABRIC, "IDENTITY_SERVER_THUMBPRINT": "A1:B2:C3:D4:E5:F6:07:18:29:3A 4B5C6D7E8F9011223344\n"},
            {
                "type": "service_fabric",
                "endpoint": "https://f.example:2377",
                "header": "h",
                "thumbprint": THUMBPRINT,
            },
        ),
        (MACHINE_LEARNING, {"type": "machine_learning", "endpoint": "http://ml.example", "secret": "s"}),
        (
            {**MACHINE_LEARNING, "DEFAULT_IDENTITY_CLIENT_ID": "c"},
            {"type": "machine_learning", "endpoint": "http://ml.example", "secret": "s", "default_client_id": "c"},
        ),
        (ARC, {"type": "azure_arc", "endpoint": ARC["IDENTITY_ENDPOINT"]}),
    ],
)
def test_what_serves_the_identity_is_told_to_the_broker(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch, environment: Any, source: Any
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert definition_of(start_daemon)["managed_identity"] == {"id": "system_assigned", "source": source}


@pytest.mark.parametrize(
    ("identity", "id_on_wire", "client_id"),
    [
        (SYSTEM, "system_assigned", "SYSTEM_ASSIGNED_MANAGED_IDENTITY"),
        ({"ManagedIdentityIdType": "SystemAssigned"}, "system_assigned", "SYSTEM_ASSIGNED_MANAGED_IDENTITY"),
        (msal.UserAssignedManagedIdentity(client_id="c"), {"client_id": "c"}, "c"),
        (msal.UserAssignedManagedIdentity(resource_id="/r"), {"resource_id": "/r"}, "/r"),
        ({"ManagedIdentityIdType": "ObjectId", "Id": "o"}, {"object_id": "o"}, "o"),
    ],
)
def test_an_identity_is_told_to_the_broker(
    start_daemon: StartDaemon, identity: Any, id_on_wire: Any, client_id: str
) -> None:
    body = definition_of(start_daemon, identity, client_capabilities=["CP1"])
    assert (body["kind"], body["client_id"]) == ("managed_identity", client_id)
    assert (body["managed_identity"]["id"], body["client_capabilities"]) == (id_on_wire, ["CP1"])


@pytest.mark.parametrize(
    ("identity", "dictionaries"),
    [
        (SYSTEM, [{"ManagedIdentityIdType": "SystemAssigned"}, {"ManagedIdentityIdType": "SystemAssigned", "Id": None}]),
        (msal.UserAssignedManagedIdentity(client_id="c"), [{"ManagedIdentityIdType": "ClientId", "Id": "c"}]),
    ],
)
def test_a_dictionary_and_an_object_are_one_identity(
    start_daemon: StartDaemon, identity: Any, dictionaries: list[Any]
) -> None:
    # One definition is one application of the broker's, and finds its tokens.
    expected = definition_of(start_daemon, identity)
    assert [definition_of(start_daemon, dictionary) for dictionary in dictionaries] == [expected] * len(dictionaries)


def test_a_cluster_says_which_identity_its_services_have(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FABRIC.items():
        monkeypatch.setenv(name, value)
    body = definition_of(start_daemon, msal.UserAssignedManagedIdentity(client_id="c"))
    assert body["managed_identity"]["id"] == "system_assigned"


def test_a_resource_takes_the_place_of_scopes(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    client().acquire_token_for_client(resource="https://vault.azure.net", claims_challenge="{}")
    expected = {"grant": "client_credentials", "resource": "https://vault.azure.net", "claims_challenge": "{}"}
    assert daemon.requests[-1].body == expected


def test_the_environment_is_looked_at_for_each_token(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    one = client()
    one.acquire_token_for_client(resource="r")
    one.acquire_token_for_client(resource="r")
    for name, value in APP_SERVICE.items():
        monkeypatch.setenv(name, value)
    one.acquire_token_for_client(resource="r")
    sources = [r.body["managed_identity"]["source"]["type"] for r in daemon.requests if r.target == "/v1/apps"]
    assert sources == ["imds", "app_service"]


def test_a_cache_of_the_clients_own_is_a_private_one(start_daemon: StartDaemon) -> None:
    assert "private_cache" not in definition_of(start_daemon)
    assert "private_cache" in definition_of(start_daemon, token_cache=msal.TokenCache())


@pytest.mark.parametrize(
    "identity", [{}, {"ManagedIdentityIdType": "ClientId", "Id": ""}, {"ManagedIdentityIdType": "X", "Id": "x"}, "id"]
)
def test_what_is_no_identity_is_refused(identity: Any) -> None:
    with pytest.raises(msal.ManagedIdentityError):
        client(identity)


@pytest.mark.parametrize("ids", [{}, {"client_id": "c", "object_id": "o"}, {"client_id": ""}])
def test_an_identity_has_one_id(ids: Any) -> None:
    with pytest.raises(msal.ManagedIdentityError):
        msal.UserAssignedManagedIdentity(**ids)


@pytest.mark.parametrize(
    "environment", [{**FABRIC, "IDENTITY_ENDPOINT": "http://f.example"}, {**FABRIC, "IDENTITY_SERVER_THUMBPRINT": "A1"}]
)
def test_a_cluster_that_cannot_be_trusted_gets_no_secret(
    start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch, environment: Any
) -> None:
    daemon = start_daemon(after_opening(lambda _: answer(200, TOKEN)))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(msal.ManagedIdentityError):
        client().acquire_token_for_client(resource="r")
    assert daemon.requests == []


def test_arc_is_not_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ARC.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(msal.ArcPlatformNotSupportedError, match="darwin"):
        client().acquire_token_for_client(resource="r")


def test_a_refusal_is_a_dictionary_and_misuse_an_error_of_managed_identities(start_daemon: StartDaemon) -> None:
    replies = [refused("invalid_scope"), refused("bad_request")]
    start_daemon(after_opening(lambda _: replies.pop(0)))
    one = client()
    assert one.acquire_token_for_client(resource="r")["error"] == "invalid_scope"
    with pytest.raises(msal.ManagedIdentityError, match="why"):
        one.acquire_token_for_client(resource="r")


def test_a_client_of_the_applications_own_is_told_to_have_no_effect() -> None:
    with pytest.warns(UserWarning, match="http_client"):
        msal.ManagedIdentityClient(SYSTEM, http_client=object())


ENVIRONMENTS = [
    {}, APP_SERVICE, FABRIC, ARC, MACHINE_LEARNING, {"AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"},
    {**FABRIC, **MACHINE_LEARNING}, {**ARC, **MACHINE_LEARNING}, {"IDENTITY_ENDPOINT": "", "IDENTITY_HEADER": ""},
    {"IDENTITY_ENDPOINT": "x"}, {**ARC, "AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"},
]  # fmt: skip


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: "+".join(e) or "none")
def test_the_source_is_the_one_that_msal_finds(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs: Any = pytest.importorskip("msal.managed_identity", reason="pip install msal==1.39.0")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def name_of(module: Any) -> list[str]:
        found = module.get_managed_identity_source()
        return [name for name, value in vars(module).items() if value is found]

    assert name_of(ours) == name_of(theirs)
    assert len(name_of(ours)) == 1


@pytest.mark.parametrize("ids", [{"client_id": "c"}, {"resource_id": "/r"}, {"object_id": "o"}])
def test_an_identity_is_the_dictionary_of_msal(ids: Any) -> None:
    theirs: Any = pytest.importorskip("msal", reason="msal is not installed: pip install msal==1.39.0")
    for one, other in (
        (SYSTEM, theirs.SystemAssignedManagedIdentity()),
        (msal.UserAssignedManagedIdentity(**ids), theirs.UserAssignedManagedIdentity(**ids)),
    ):
        assert json.dumps(one.data) == json.dumps(other.data)
        assert one == other.data
