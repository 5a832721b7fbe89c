"""One sign-in for every process of a user, whatever it is written in, and through the death of the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import World
from .providers import EntraEmulator
from .world import PATIENCE_SECONDS, find_program


@pytest.fixture
def emulator(world: World) -> EntraEmulator:
    emulator = world.start_emulator()
    world.daemon.start()
    return emulator


def command_line(world: World, verb: str, *arguments: str) -> str:
    """What the ``valetkey`` command prints."""
    command = [find_program("VALETKEY", "valetkey"), verb, *arguments]
    done = subprocess.run(command, env=world.home.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_command_line_shares_the_sign_in_of_a_python_program(world):
    provider = world.start_certified_provider()
    world.daemon.start()
    signed_in = world.sign_in(provider)
    application = ["--client-id", "public", "--oidc-authority", provider.issuer]
    assert command_line(world, "token", *application, "--scope", "read") == signed_in["access_token"]
    command_line(world, "logout", *application, "--account", "alice@example.test")
    assert world.run("accounts", provider.config()) == {"usernames": []}


def test_a_request_by_hand_has_the_token_of_a_python_program(world, emulator):
    signed_in = world.sign_in(emulator)
    definition = {"client_id": "public", **emulator.application}
    status, app = world.daemon.request("POST", "/v1/apps", definition)
    assert status == 200
    status, token = world.daemon.request("POST", f"/v1/apps/{app['app']}/token", {"scopes": ["User.Read"]})
    assert (status, token["access_token"]) == (200, signed_in["access_token"])


def test_a_sign_in_survives_the_death_of_the_daemon(world, emulator):
    signed_in = world.sign_in(emulator)
    running = world.start("asks", emulator.config())
    running.tell("before")
    assert running.read() == {"access_token": signed_in["access_token"]}
    world.daemon.kill()
    world.daemon.start()
    # The one that was running opens its application again by itself; the next one finds the sign-in.
    running.tell("after")
    assert running.read() == {"access_token": signed_in["access_token"]}
    assert world.run("silent", emulator.config())["token_source"] == "cache"
    assert emulator.count("refresh_token") == (0, 0)


def test_a_program_starts_the_daemon_that_was_killed(world, emulator):
    signed_in = world.sign_in(emulator)
    world.daemon.kill()
    started = {"VALETKEY_AUTOSTART": "1", "VALETKEY_DAEMON": world.daemon.executable}
    assert world.run("silent", emulator.config(), **started)["access_token"] == signed_in["access_token"]
    _, status = world.daemon.request("GET", "/v1/status")
    os.kill(status["pid"], signal.SIGKILL)


def test_a_rotated_token_survives_the_death_of_the_daemon(world):
    emulator = world.start_emulator("--rotate", "0", "--access-token-lifetime", "60")
    world.daemon.start()
    world.sign_in(emulator)
    for _ in range(3):
        assert world.run("silent", emulator.config())["token_source"] == "identity_provider"
        world.daemon.kill()
        world.daemon.start()
    assert emulator.count("refresh_token") == (3, 0)


def test_a_stop_ends_well_and_keeps_the_sign_in(world, emulator):
    signed_in = world.sign_in(emulator)
    assert world.daemon.stop() == 0
    assert not Path(world.home.socket).exists()
    world.daemon.start()
    assert world.run("silent", emulator.config())["access_token"] == signed_in["access_token"]


def test_programs_of_one_family_share_a_sign_in(world):
    emulator = world.start_emulator("--family-client", "editor", "mail")
    world.daemon.start()
    world.sign_in(emulator, client_id="editor")
    assert world.run("silent", emulator.config("mail"))["token_source"] == "identity_provider"
    assert world.run("silent", emulator.config("stranger")) == {"access_token": None}
