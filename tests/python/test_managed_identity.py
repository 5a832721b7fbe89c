"""A program for Azure, written for MSAL, finds its identity on the emulated machine; with the real msal it does as well."""

from __future__ import annotations

import pytest

from .conftest import World

RESOURCE = "https://vault.contoso.com"


@pytest.mark.parametrize("module", ["valetkey", "msal"])
@pytest.mark.parametrize("source", ["imds", "app_service", "machine_learning"])
def test_a_program_finds_its_identity_by_the_environment(world: World, source: str, module: str) -> None:
    emulator = world.start_emulator()
    world.daemon.start()
    environment = emulator.control("GET", "/machine")["environments"][source]
    shown = world.run("managed_identity", {"resource": RESOURCE}, module, **environment)
    assert shown["sources"] == ["identity_provider", "cache"]
    assert shown["same"] and shown["token_type"] == "Bearer" and shown["resource"] == RESOURCE
    assert shown["expires_in"] > 3000


@pytest.mark.parametrize("module", ["valetkey", "msal"])
def test_an_identity_that_the_machine_does_not_have_is_an_error(world: World, module: str) -> None:
    emulator = world.start_emulator()
    world.daemon.start()
    environment = emulator.control("GET", "/machine")["environments"]["imds"]
    config = {"resource": RESOURCE, "client_id": "5e1f0000-0000-4000-8000-00000000dead"}
    assert world.run("managed_identity", config, module, **environment)["error"] == "invalid_request"
