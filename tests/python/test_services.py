"""Services at npm's ``oidc-provider``: how they prove themselves, and for which resource they ask."""

from __future__ import annotations

import base64
import json

import pytest

from .conftest import World
from .world import REPOSITORY

_FIXTURES = REPOSITORY / "crates" / "oauth" / "src" / "credential" / "fixtures"
_KEY = {"private_key_file": str(_FIXTURES / "key.pem"), "certificate_file": str(_FIXTURES / "certificate.pem")}
GRAPH, OTHER_API = "urn:api:graph", "https://api.example.test/"


def audience_of(token: str) -> str:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["aud"]


@pytest.mark.parametrize(
    ("client_id", "credential"),
    [("service-post", {}), ("service-basic", {}), ("service-key", _KEY)],
)
def test_a_service_gets_a_token_for_each_resource_once(world: World, client_id: str, credential: dict) -> None:
    provider = world.start_certified_provider()
    world.daemon.start()
    rounds = [{}, {"resource": OTHER_API}, {}, {"resource": OTHER_API}]
    config = provider.config(client_id=client_id, credential="s3cret", rounds=rounds, **credential)
    shown = world.start("service", config).finish_all()
    assert [line["error_description"] for line in shown] == [None] * 4
    assert [audience_of(line["access_token"]) for line in shown] == [GRAPH, OTHER_API, GRAPH, OTHER_API]
    assert [line["token_source"] for line in shown] == ["identity_provider"] * 2 + ["cache"] * 2
    assert provider.count("client_credentials") == (2, 0)


@pytest.mark.parametrize(("secret", "error"), [("a secret: 50%+", None), ("another", "invalid_client")])
def test_a_provider_that_takes_secrets_by_http_basic_alone_gets_it_so(world: World, secret: str, error: str | None) -> None:
    provider = world.start_certified_provider("--basic-only")
    world.daemon.start()
    config = provider.config(client_id="service:basic", credential=secret, rounds=[{}])
    shown = world.run("service", config)
    assert shown.get("error") == error, shown
    assert provider.count("client_credentials") == ((0, 1) if error else (1, 0))


def test_a_service_with_a_wrong_secret_is_told(world: World) -> None:
    provider = world.start_certified_provider()
    world.daemon.start()
    config = provider.config(client_id="service-post", credential="another", rounds=[{}])
    assert world.run("service", config)["error"] == "invalid_client"
