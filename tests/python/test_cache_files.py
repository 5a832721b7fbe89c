"""A token cache that an application keeps in a file: MSAL and valetkey go on with each other's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import World
from .providers import EntraEmulator


def run(world: World, emulator: EntraEmulator, module: str, **config: Any) -> dict[str, Any]:
    return world.run("silent", emulator.config(keeps_cache_file=True, **config), module)


@pytest.mark.parametrize(("one", "other"), [("msal", "valetkey"), ("valetkey", "msal")])
def test_a_sign_in_of_the_one_serves_the_other_and_comes_back(world, emulator, one, other):
    signed_in = world.sign_in(emulator, module=one, keeps_cache_file=True)
    # The access token, then the refresh token: used, it is worth nothing, and its successor is in the file.
    at_hand = run(world, emulator, other)
    assert (at_hand["access_token"], at_hand["token_source"]) == (signed_in["access_token"], "cache")
    refreshed = run(world, emulator, other, force_refresh=True)
    assert refreshed["token_source"] == "identity_provider"
    assert run(world, emulator, one)["access_token"] == refreshed["access_token"]
    assert run(world, emulator, one, force_refresh=True)["token_source"] == "identity_provider"
    assert emulator.count("refresh_token") == (2, 0)


def test_what_one_program_keeps_itself_the_others_do_not_have(world, emulator):
    world.sign_in(emulator, keeps_cache_file=True)
    assert run(world, emulator, "valetkey")["token_source"] == "cache"
    assert world.run("accounts", emulator.config()) == {"usernames": []}


def test_a_sign_out_is_saved(world, emulator):
    world.sign_in(emulator, module="msal", keeps_cache_file=True)
    config = emulator.config(keeps_cache_file=True)
    assert world.run("sign_out", config) == {"left": 0}
    saved = json.loads((world.home.folder / "msal-cache.json").read_text())
    assert not any(saved.get(section) for section in ("AccessToken", "RefreshToken", "IdToken", "Account"))
    assert world.run("accounts", config, "msal") == {"usernames": []}
