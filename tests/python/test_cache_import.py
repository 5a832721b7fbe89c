"""``valetkey cache``: what MSAL itself cached moves in, serves every program, and moves out to MSAL again."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msal_extensions import CrossPlatLock, FilePersistence, PersistedTokenCache

from .conftest import World
from .providers import EntraEmulator
from .world import find_program


@pytest.fixture
def cache_file(world: World, emulator: EntraEmulator) -> Path:
    """Alice has signed in by MSAL, which wrote this."""
    world.sign_in(emulator, module="msal")
    return world.home.folder / "msal-cache.json"


def import_cache(world: World, *words: object) -> list[dict[str, Any]]:
    return json.loads(world.valetkey("--output", "json", "cache", "import", *words))["imported"]


def silent(world: World, emulator: EntraEmulator, module: str = "valetkey", **config: Any) -> dict[str, Any]:
    return world.run("silent", emulator.config(**config), module)


def counts(world: World) -> dict[str, int]:
    return json.loads(world.valetkey("--output", "json", "status"))["counts"]


def test_a_cache_of_msal_moves_in_and_out_again(world, emulator, cache_file):
    before = cache_file.read_bytes()
    assert silent(world, emulator)["access_token"] is None
    (imported,) = import_cache(world, cache_file)
    assert imported["taken"] == {"accounts": 1, "refresh_tokens": 1, "access_tokens": 1, "id_tokens": 1, "app_metadata": 1}
    assert imported["skipped"] == []
    assert cache_file.read_bytes() == before and not Path(f"{cache_file}.lockfile").exists()

    # No program asks anybody: the access token, then the refresh token, which works once.
    at_hand = silent(world, emulator)
    assert at_hand["token_source"] == "cache" and at_hand["access_token"].encode() in before
    refreshed = silent(world, emulator, force_refresh=True)
    assert refreshed["token_source"] == "identity_provider"

    cache_file.unlink()
    world.valetkey("cache", "export", "--unencrypted", "--yes", cache_file)
    assert stat.S_IMODE(cache_file.stat().st_mode) == 0o600
    assert silent(world, emulator, "msal")["access_token"] == refreshed["access_token"]
    assert silent(world, emulator, "msal", force_refresh=True)["token_source"] == "identity_provider"
    assert emulator.count("refresh_token") == (2, 0)


def test_a_second_import_takes_what_is_newer_and_nothing_else(world, emulator, cache_file):
    import_cache(world, cache_file)
    (again,) = import_cache(world, cache_file)
    assert set(again["taken"].values()) == {0}
    assert {skipped["reason"] for skipped in again["skipped"]} == {"what is here is the same or newer"}
    # MSAL goes on, and its refresh token with it: what valetkey has is worthless then.
    newest = silent(world, emulator, "msal", force_refresh=True)
    cache = json.loads(cache_file.read_text())
    for token in cache["RefreshToken"].values():
        token["last_modification_time"] = str(int(token["last_modification_time"]) + 1)
    cache_file.write_text(json.dumps(cache))
    (imported,) = import_cache(world, cache_file)
    assert imported["taken"]["refresh_tokens"] == 1
    assert silent(world, emulator, force_refresh=True)["access_token"] != newest["access_token"]
    assert emulator.count("refresh_token") == (2, 0)


def test_what_remains_with_the_other_library_is_told(world, cache_file):
    told = subprocess.run(
        [find_program("VALETKEY", "valetkey"), "cache", "import", cache_file],
        env=world.home.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.startswith(f"Took 1 account, 1 refresh token and 1 access token from {cache_file}.")
    assert "still has its copy" in told.stderr


def test_a_cache_of_msal_extensions_is_read_under_its_lock(world, cache_file):
    location = world.home.folder / "extensions.bin"
    cache = PersistedTokenCache(FilePersistence(str(location)))
    FilePersistence(str(location)).save(cache_file.read_text())
    assert cache.search(cache.CredentialType.REFRESH_TOKEN)
    with CrossPlatLock(f"{location}.lockfile"):
        complaint = world.valetkey("cache", "import", location, exit_code=1)
        assert f"process {os.getpid()}" in complaint and "nothing was changed" in complaint
        assert Path(f"{location}.lockfile").exists()
    assert import_cache(world, location)[0]["taken"]["refresh_tokens"] == 1


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("{}")
    path.symlink_to(path.parent / "elsewhere")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_somebody_elses(path: Path) -> Path:
    if os.geteuid() != 0:
        # Only root gives files away; to everybody else this one is somebody else's.
        return Path("/etc/passwd")
    path.write_text("{}")
    os.chown(path, 12345, -1)
    return path


def make_changeable(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0o666)


NESTED = '{"RefreshToken":' + '{"a":' * 500 + "1" + "}" * 500 + "}"
BAD = {
    "absent": (lambda path: None, "No such file"),
    "a folder": (make_folder, "not a regular file"),
    "a pipe": (make_pipe, "not a regular file"),
    "a link": (make_link, "symbolic link"),
    "somebody else's": (make_somebody_elses, "owns it"),
    "open to changes": (make_changeable, "lets others change it"),
    "empty": ("", "is empty"),
    "cut off": ('{"RefreshToken": {"a": {"secret": "hush', "no JSON"),
    "too large": ('{"Future": "' + "x" * 1024 * 1024 + '"}', "larger than"),
    "nested too deep": (NESTED, "recursion limit"),
    "a list": ('[{"secret": "hush"}]', "no JSON"),
    "encrypted": (b"\x01\x00\x00\x00\xd0\x8c\x9d\xdf\x01\x15", "no JSON"),
    "no cache": ('{"subscriptions": [], "installationId": "hush"}', "no token cache of MSAL"),
    "a section of a wrong kind": ('{"RefreshToken": ["hush"]}', 'section "RefreshToken"'),
    "an entry of a wrong kind": ('{"Account": {"a": "hush"}}', "entry 1"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_no_sound_cache_is_refused_and_nothing_changes(world, content, words):
    world.daemon.start()
    folder = world.home.folder / "source"
    folder.mkdir(mode=0o700)
    path = folder / "cache.json"
    if callable(content):
        path = content(path) or path
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = {each: (each.lstat().st_mode, each.lstat().st_size, each.lstat().st_mtime_ns) for each in folder.iterdir()}
    complaint = world.valetkey("cache", "import", path, exit_code=1)
    assert words in complaint and "hush" not in complaint
    assert {each: (each.lstat().st_mode, each.lstat().st_size, each.lstat().st_mtime_ns) for each in folder.iterdir()} == before
    assert counts(world)["refresh_tokens"] == 0


def test_an_odd_entry_does_not_keep_the_others_out(world, emulator, cache_file):
    cache = json.loads(cache_file.read_text())
    cache["RefreshToken"]["odd"] = {"secret": 5}
    cache["AccessToken"]["service's own"] = {**next(iter(cache["AccessToken"].values())), "home_account_id": None}
    cache_file.write_text(json.dumps(cache))
    (imported,) = import_cache(world, cache_file)
    assert [(it["section"], it["count"]) for it in imported["skipped"]] == [("AccessToken", 1), ("RefreshToken", 1)]
    assert silent(world, emulator)["token_source"] == "cache"


def test_the_cache_of_a_well_known_product_is_found(world, emulator, cache_file):
    complaint = world.valetkey("cache", "import", exit_code=1)
    assert "no cache of another library was found" in complaint
    azure = world.home.folder / ".azure"
    azure.mkdir(mode=0o700)
    shutil.move(cache_file, azure / "msal_token_cache.json")
    complaint = world.valetkey("cache", "import", exit_code=2)
    assert f"azure-cli  {azure / 'msal_token_cache.json'}" in complaint
    world.valetkey("cache", "import", "--from", "azure-identity", exit_code=1)
    assert import_cache(world, "--from", "azure-cli")[0]["taken"]["accounts"] == 1
    assert silent(world, emulator)["token_source"] == "cache"


class AtTerminal:
    """The command with a person at a terminal, who answers its one question."""

    def __init__(self, world: World, *words: object) -> None:
        self._ours, theirs = pty.openpty()
        command = [find_program("VALETKEY", "valetkey"), *map(str, words)]
        self._process = subprocess.Popen(
            command, env=world.home.environment, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
        )
        os.close(theirs)

    def answer(self, question: str, answer: str) -> tuple[int, str]:
        """The exit status, and what is printed."""
        seen = ""
        while question not in seen:
            seen += os.read(self._ours, 4096).decode()
        os.write(self._ours, f"{answer}\n".encode())
        printed, _ = self._process.communicate(timeout=60)
        os.close(self._ours)
        return self._process.returncode, printed


def test_a_person_chooses_among_what_is_found(world, cache_file):
    azure = world.home.folder / ".azure"
    azure.mkdir(mode=0o700)
    shutil.move(cache_file, azure / "msal_token_cache.json")
    assert AtTerminal(world, "cache", "import").answer("Which one?", "2")[0] == 2
    status, printed = AtTerminal(world, "cache", "import").answer("Which one?", "1")
    assert (status, printed.startswith("Took 1 account")) == (0, True)


def test_an_export_is_a_persons_own_act(world, cache_file):
    import_cache(world, cache_file)
    target = world.home.folder / "exported.json"
    world.valetkey("cache", "export", target, exit_code=2)
    complaint = world.valetkey("cache", "export", "--unencrypted", target, exit_code=2)
    assert "`--yes`" in complaint
    assert AtTerminal(world, "cache", "export", "--unencrypted", target).answer("Type yes", "y")[0] == 4
    assert not target.exists()
    assert AtTerminal(world, "cache", "export", "--unencrypted", target).answer("Type yes", "yes")[0] == 0
    assert json.loads(target.read_text())["RefreshToken"]


def test_an_export_goes_to_a_place_that_is_safe_or_nowhere(world, cache_file):
    import_cache(world, cache_file)
    folder = world.home.folder / "lax"
    folder.mkdir()
    folder.chmod(0o777)
    kept = world.home.folder / "kept.json"
    kept.write_text("mine")
    for target, words in [(folder / "cache.json", "lets others replace"), (kept, "exists")]:
        assert words in world.valetkey("cache", "export", "--unencrypted", "--yes", target, exit_code=1)
    assert list(folder.iterdir()) == [] and kept.read_text() == "mine"
    assert "cache_exported" not in world.valetkey("--output", "json", "audit"), "nothing was handed out"
    assert json.loads(world.valetkey("cache", "export", "--unencrypted", "--yes"))["Account"]
