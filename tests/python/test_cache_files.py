"""A token cache that an application keeps in a file: MSAL and valetkey go on with each other's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from oracle.recorder import Recorder, Request, Response

from .conftest import World
from .providers import EntraEmulator
from .world import PATIENCE_SECONDS

#: MSAL files tokens under the host alone, valetkey under an unusual port as well: both take this for the usual one.
SITE = "https://login.microsoftonline.com"


class Relay:
    """Passes requests for `SITE` on to the emulator."""

    def __init__(self, emulator: EntraEmulator) -> None:
        self._base_url = emulator.ready["base_url"]
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, asked: Request) -> Response:
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        form = urlencode(asked.form).encode() if asked.method == "POST" else None
        request = urllib.request.Request(self._base_url + asked.path + query, form)
        try:
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                return Response(json.load(answer))
        except urllib.error.HTTPError as refusal:
            return Response(json.load(refusal), refusal.code)


@pytest.fixture
def emulator(world: World) -> Iterator[EntraEmulator]:
    """In Microsoft's place, with refresh tokens that work once."""
    emulator = world.start_emulator("--public-url", SITE, "--rotate", "0")
    emulator.ready["authority"] = f"{SITE}/common"
    folder = world.home.folder / "tls"
    folder.mkdir()
    recorder = Recorder(folder, Relay(emulator))
    world.home.environment.update(recorder.environment())
    world.daemon.start()
    yield emulator
    recorder.close()


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
