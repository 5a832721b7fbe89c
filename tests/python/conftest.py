"""The fixture ``world``: a home, a daemon in it, and what a test starts there. It is taken down, and searched for secrets.
The fixture ``emulator`` adds a provider whose tokens MSAL and valetkey file in the same way."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle.recorder import Recorder

from .providers import CertifiedProvider, EntraEmulator, Provider
from .relay import SITE, Relay
from .world import Daemon, Home, Program, find_program


class World:
    """One user's machine."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.daemon = Daemon(home)
        self.programs: list[Program] = []
        self.providers: list[Provider] = []

    def start_emulator(self, *flags: str, tls: bool = False) -> EntraEmulator:
        return self._keep(EntraEmulator(*flags, tls_folder=self._tls_folder() if tls else None))

    def start_certified_provider(self, *flags: str, tls: bool = False, issuer: str = "issuer") -> CertifiedProvider:
        return self._keep(CertifiedProvider(*flags, issuer=issuer, tls_folder=self._tls_folder() if tls else None))

    def start(self, name: str, config: dict, module: str = "valetkey", **environment: str) -> Program:
        """A program of ``programs/``."""
        program = Program(self.home, name, module, config, **environment)
        self.programs.append(program)
        return program

    def run(self, name: str, config: dict, module: str = "valetkey", **environment: str) -> dict[str, Any]:
        """A program from start to end: the last thing that it shows."""
        return self.start(name, config, module, **environment).finish()

    def sign_in(self, provider: Provider, user: str = "alice", module: str = "valetkey", **config: str) -> dict[str, Any]:
        """By a device code; what the program shows of the token."""
        program = self.start("device_flow", provider.config(**config), module)
        provider.approve(program.read()["user_code"], user)
        return program.finish()

    def valetkey(self, *words: object, exit_code: int = 0, **streams: Any) -> str:
        """The command: what it prints, or what it complains of when it is to fail."""
        command = [find_program("VALETKEY", "valetkey"), *map(str, words)]
        ended = subprocess.run(command, env=self.home.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, **streams)
        assert ended.returncode == exit_code, (command, ended)
        return ended.stdout if exit_code == 0 else ended.stderr

    def check_for_secrets(self) -> None:
        """Neither the log nor the store may hold a token or code in clear."""
        secrets = [secret.encode() for provider in self.providers for secret in provider.secrets()]
        files = [self.daemon.log, *(path for path in self.home.state.rglob("*") if path.is_file())]
        for path in files:
            content = path.read_bytes()
            assert [secret for secret in secrets if secret in content] == [], f"{path} holds secrets in clear"

    def close(self) -> None:
        """What cannot be ended keeps nothing else running."""
        with contextlib.ExitStack() as last_first:
            for provider in self.providers:
                last_first.callback(provider.close)
            last_first.callback(self.daemon.kill)
            for program in self.programs:
                last_first.callback(program.end)

    def _tls_folder(self) -> Path:
        folder = self.home.folder / "tls"
        folder.mkdir()
        return folder

    def _keep(self, provider: Any) -> Any:
        self.providers.append(provider)
        self.home.environment.update(provider.trust)
        return provider


@contextlib.contextmanager
def open_world() -> Iterator[World]:
    """The folder goes in any case, as when there is no daemon to run."""
    with Home() as home, contextlib.closing(World(home)) as world:
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with open_world() as world:
        yield world
        if world.daemon.log.exists():
            world.check_for_secrets()


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
