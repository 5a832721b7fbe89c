"""Many processes, one rotating refresh token: the provider sees one redemption at a time, and never a used token again."""

from __future__ import annotations

import pytest

from .conftest import World
from .providers import Provider

PROCESSES = 50
#: Under the five minutes that a token must still live: it is refreshed at each request.
SHORT = "60"


def ask_at_once(world: World, provider: Provider, **config: bool) -> list[str | None]:
    """All have been told to ask before the provider answers the first."""
    programs = [world.start("asks", provider.config(**config)) for _ in range(PROCESSES)]
    provider.hold_refreshes()
    for program in programs:
        program.tell("now")
    provider.await_held_refresh()
    provider.release_refreshes()
    return [program.read()["access_token"] for program in programs]


def test_fifty_processes_on_one_expired_token_make_one_request(world):
    emulator = world.start_emulator("--rotate", "0", "--access-token-lifetime", SHORT)
    world.daemon.start()
    signed_in = world.sign_in(emulator)
    emulator.change_settings(access_token_lifetime=3600)
    [token] = set(ask_at_once(world, emulator))
    assert token not in (None, signed_in["access_token"])
    assert emulator.count("refresh_token") == (1, 0)


@pytest.mark.parametrize("issuer", ["issuer", "tenant_issuer"])
def test_reuse_detection_is_never_triggered(world, issuer):
    """All force a refresh, so that those who come too late for one flight start the next."""
    provider = world.start_certified_provider("--at-ttl", SHORT, issuer=issuer)
    world.daemon.start()
    world.sign_in(provider)
    assert None not in ask_at_once(world, provider, force_refresh=True)
    # The family is alive: a reuse would have revoked it.
    assert world.run("silent", provider.config(force_refresh=True))["token_source"] == "identity_provider"
    granted, refused = provider.count("refresh_token")
    used = [request["form"]["refresh_token"] for request in provider.requests("/token") if "refresh_token" in request["form"]]
    assert refused == 0
    assert 2 <= granted == len(used) == len(set(used))
