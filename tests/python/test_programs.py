"""Applications written for MSAL run unchanged but for one import, at the emulator and at the certified provider.

With the real msal they run as well, where its demands can be met (https, and a path in the issuer), so that they prove to be
what they say: applications written for MSAL.
"""

from __future__ import annotations

import json

import pytest

from .conftest import World
from .providers import Provider

SETUPS = ["valetkey at the emulator", "valetkey at an issuer", "valetkey at an issuer with a path", "msal at an issuer"]


@pytest.fixture(params=SETUPS)
def module_and_provider(world: World, request: pytest.FixtureRequest) -> tuple[str, Provider]:
    module, _, place = request.param.partition(" at ")
    if place == "the emulator":
        provider: Provider = world.start_emulator()
    elif module == "msal":
        provider = world.start_certified_provider(tls=True, issuer="tenant_issuer")
    else:
        provider = world.start_certified_provider(issuer="tenant_issuer" if "path" in place else "issuer")
    if module == "valetkey":
        world.daemon.start()
    return module, provider


def test_a_device_code_sign_in_is_shared_until_the_sign_out(world, module_and_provider):
    module, provider = module_and_provider
    config = provider.config()
    assert world.run("silent", config, module) == {"access_token": None}

    program = world.start("device_flow", config, module)
    shown = program.read()
    assert shown["verification_uri"].startswith("http")
    provider.approve(shown["user_code"], "alice")
    signed_in = program.finish()
    assert signed_in["username"] == provider.username("alice")

    assert world.run("accounts", config, module) == {"usernames": [provider.username("alice")]}
    silent = world.run("silent", {**config, "username": provider.username("alice")}, module)
    assert silent["access_token"] == signed_in["access_token"]
    assert silent["token_source"] == "cache"
    assert world.run("silent", {**config, "username": provider.username("bob")}, module) == {"access_token": None}

    assert world.run("sign_out", config, module) == {"left": 0}
    assert world.run("accounts", config, module) == {"usernames": []}
    assert world.run("silent", config, module) == {"access_token": None}
    assert provider.count("refresh_token") == (0, 0)


def test_a_browser_sign_in_serves_the_next_program(world, module_and_provider):
    module, provider = module_and_provider
    config = provider.config()
    browser = provider.browser("bob")
    signed_in = world.run("interactive", config, module, **browser)
    assert signed_in["username"] == provider.username("bob")
    # No browser this time.
    assert world.run("overview", config, module)["access_token"] == signed_in["access_token"]
    assert provider.count("authorization_code") == (1, 0)


def test_the_overview_signs_in_when_there_is_no_token(world, module_and_provider):
    module, provider = module_and_provider
    first = world.run("overview", provider.config(), module, **provider.browser("alice"))
    again = world.run("overview", provider.config(), module)
    assert first["access_token"] == again["access_token"]


def test_a_redirect_of_the_applications_own_brings_a_token(world, module_and_provider):
    module, provider = module_and_provider
    program = world.start("auth_code", provider.config(), module)
    program.tell(json.dumps(provider.authorize(program.read()["auth_uri"], "alice")))
    result = program.finish()
    assert result["access_token"] and result["token_source"] == "identity_provider"


def test_a_redirect_of_another_sign_in_is_refused(world, module_and_provider):
    module, provider = module_and_provider
    program = world.start("auth_code", provider.config(), module)
    redirect = provider.authorize(program.read()["auth_uri"], "alice")
    program.tell(json.dumps({**redirect, "state": "forged"}))
    assert program.finish()["error"] == "ValueError"
    assert provider.count("authorization_code") == (0, 0)


def test_a_person_who_cancels_is_an_error_with_its_description(world):
    emulator = world.start_emulator()
    world.daemon.start()
    browser = {**emulator.browser("alice"), "SIGN_IN_PERSON": "cancels"}
    result = world.run("interactive", emulator.config(), **browser)
    assert result["error"] == "access_denied"
    assert result["error_description"].startswith("AADSTS65004")


def test_a_refusal_of_the_provider_has_a_correlation_id(world):
    emulator = world.start_emulator("--user", "throttled@contoso.com")
    world.daemon.start()
    result = world.run("overview", emulator.config(), **emulator.browser("throttled"))
    assert result["error"] == "temporarily_unavailable"
    assert "AADSTS50196" in result["error_description"]
    assert len(result["correlation_id"]) == 36


def test_a_person_who_declines_the_device_is_told(world):
    emulator = world.start_emulator()
    world.daemon.start()
    program = world.start("device_flow", emulator.config())
    emulator.control("POST", "/device", user_code=program.read()["user_code"])
    assert program.finish()["error"] == "authorization_declined"
