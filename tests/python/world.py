"""The surroundings of a test: one user's folders, the real daemon, and programs that use it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
_PYTHON_SDK = REPOSITORY / "client-sdk" / "python" / "src"
_DEBUG = REPOSITORY / "target" / "debug"
#: Longer than anything here takes on a busy machine; what hangs fails.
PATIENCE_SECONDS = 60
_MOMENT_SECONDS = 0.01
_IMPORT = "import msal\n"


def find_program(variable: str, name: str) -> str:
    """A program of this repository: where the environment says, else as ``cargo build`` leaves it."""
    program = Path(os.environ.get(variable) or _DEBUG / name)
    assert program.exists(), f"{program} is not there: cargo build, or set {variable}"
    return str(program)


class Home:
    """One user's folders and environment, in which nothing of the developer's is read or written."""

    def __init__(self) -> None:
        # Not pytest's own folder: the path of a socket ends after 108 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="valetkey-"))
        for name in ("run", "state", "config", "cache", "programs"):
            (self.folder / name).mkdir(mode=0o700)
        self.socket = self.folder / "run" / "valetkey" / "broker.sock"
        self.state = self.folder / "state" / "valetkey"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"{self.folder}/run",
            "XDG_STATE_HOME": f"{self.folder}/state",
            "XDG_CONFIG_HOME": f"{self.folder}/config",
            "XDG_CACHE_HOME": f"{self.folder}/cache",
            "VALETKEY_KEY_PROVIDER": "file",
            "VALETKEY_AUTOSTART": "0",
            "NO_PROXY": "127.0.0.1,localhost,::1",
            "PYTHONPATH": str(_PYTHON_SDK),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


class Daemon:
    """valetkeyd in a home. It is started, stopped and killed by the test, any number of times."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.executable = find_program("VALETKEYD", "valetkeyd")
        self.log = home.folder / "valetkeyd.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([self.executable], env=self._home.environment, stderr=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(_MOMENT_SECONDS)  # sleep: there is nothing to wait on; this polls for readiness

    def stop(self) -> int:
        """Asks it to end, and waits; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def request(self, method: str, path: str, body: dict | None = None) -> tuple[int, Any]:
        """What curl would get: the status, and the JSON that comes with it."""
        connection = http.client.HTTPConnection("valetkey", timeout=PATIENCE_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        with contextlib.closing(connection):
            connection.sock.connect(str(self._home.socket))
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(timeout=PATIENCE_SECONDS)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._home.socket))
            return True
        return False


class Program:
    """A program of ``programs/`` that runs, with ``msal`` or with valetkey in its place: one line is replaced, no more."""

    def __init__(self, home: Home, name: str, module: str, config: dict, **environment: str) -> None:
        program = PROGRAMS / f"{name}.py"
        source = program.read_text()
        assert source.count(_IMPORT) == 1
        changed = source if module == "msal" else source.replace(_IMPORT, f"import {module} as msal\n")
        # A folder for each, since programs of one name run at once.
        folder = Path(tempfile.mkdtemp(dir=home.folder / "programs"))
        script, settings = folder / program.name, folder / "settings.json"
        script.write_text(changed)
        shutil.copy(PROGRAMS / "common.py", folder)
        settings.write_text(json.dumps(config))
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(settings)],
            env={**home.environment, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def read(self) -> dict:
        """The next thing that it shows."""
        line = self._process.stdout.readline()
        assert line, self._process.communicate(timeout=PATIENCE_SECONDS)[1]
        return json.loads(line)

    def tell(self, line: str) -> None:
        """Types a line into it."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def finish(self) -> dict:
        """The last thing that it shows, once it has ended well."""
        return self.finish_all()[-1]

    def finish_all(self) -> list[dict]:
        """All that it shows from here on, once it has ended well."""
        output, errors = self._process.communicate(timeout=PATIENCE_SECONDS)
        assert self._process.returncode == 0, errors
        return [json.loads(line) for line in output.splitlines()]

    def fail(self) -> str:
        """What it complains of, once it has ended badly."""
        _, errors = self._process.communicate(timeout=PATIENCE_SECONDS)
        assert self._process.returncode != 0
        return errors

    def end(self) -> None:
        """For a test that failed in the middle. Not by ``communicate``: a browser may hold the other end of the pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()
