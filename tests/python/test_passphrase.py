"""A person at a terminal chooses the passphrase of a new store: what was mistyped once would keep them out for good."""

from __future__ import annotations

import json
import os
import pty

import pytest

from .conftest import World
from .world import find_program

CHOOSE, AGAIN, ASK = "Choose a passphrase for the new store: ", "Once more: ", "Passphrase: "


def unlock(world: World, *typed: tuple[str, str]) -> tuple[int, str]:
    """``valetkey unlock`` at a terminal of its own: its exit status, and what it says."""
    program = find_program("VALETKEY", "valetkey")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(program, [program, "unlock"], world.home.environment)
    seen = ""
    for question, answer in typed:
        while not seen.endswith(question):
            more = read(terminal)
            assert more, f"{question!r} never came: {seen}"
            seen += more
        os.write(terminal, f"{answer}\n".encode())
    while more := read(terminal):
        seen += more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen


def read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        # The terminal's other end is closed.
        return ""


def key_of(world: World) -> dict:
    return json.loads(world.valetkey("--output", "json", "status"))["key"]


@pytest.fixture
def locked(world: World) -> World:
    world.home.environment["VALETKEY_KEY_PROVIDER"] = "passphrase"
    world.daemon.start()
    return world


def test_a_first_passphrase_is_typed_twice_and_a_later_one_once(locked):
    assert key_of(locked)["to_be_chosen"]
    status, said = unlock(locked, (CHOOSE, "corect horse"), (AGAIN, "correct horse"))
    assert status == 1 and "not the same" in said
    assert key_of(locked)["to_be_chosen"], "the store is as it was"
    assert unlock(locked, (CHOOSE, "correct horse"), (AGAIN, "correct horse"))[0] == 0
    assert "to_be_chosen" not in key_of(locked)
    locked.daemon.stop()
    locked.daemon.start()
    assert "to_be_chosen" not in key_of(locked)
    status, said = unlock(locked, (ASK, "correct horse"))
    assert status == 0 and CHOOSE not in said
