"""Where a daemon that has no terminal says why it cannot start: ``valetkeyd.log`` in its state folder."""

from __future__ import annotations

import os
import stat
import subprocess

from ._endpoint import find_state_folder

#: A daemon says little; this is a year of it.
_LARGEST = 1024 * 1024
#: Bytes that a person is shown at most.
_LONGEST_WORDS = 2048
_PREFIX = "valetkeyd: "


class Log:
    """What one daemon writes. Without a log it starts all the same, and why there is none is told when it ends."""

    def __init__(self) -> None:
        #: To write to, as ``subprocess`` takes it.
        self.file = subprocess.DEVNULL
        self._path, self._start, self._trouble = "", 0, ""
        folder = find_state_folder()
        if not folder:
            self._trouble = "there is no state folder; set VALETKEY_STATE_DIR"
            return
        self._path = os.path.join(folder, "valetkeyd.log")
        try:
            self.file = _open(folder, self._path)
            # What is before this, others wrote.
            self._start = os.fstat(self.file).st_size
        except OSError as error:
            self._trouble = str(error)

    def close(self) -> None:
        """Closes this process's copy of the file; the daemon has its own."""
        if self.file != subprocess.DEVNULL:
            os.close(self.file)

    @property
    def advice(self) -> str:
        """Where a person learns more."""
        return "run `valetkeyd` in a terminal to see why" if self._trouble else f"its log is {self._path}"

    def last_words(self) -> str:
        """The last line, in which the daemon says why it ends, without what steers a terminal; may be empty."""
        if self._trouble:
            return f"its log cannot be kept: {self._trouble}"
        lines = self._read_end().decode(errors="replace").split("\n")
        line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        words = line[len(_PREFIX) :] if line.startswith(_PREFIX) else line
        return "".join(character if character.isprintable() else "\ufffd" for character in words)

    def _read_end(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, size - _LONGEST_WORDS))
                return file.read(_LONGEST_WORDS)
        except OSError:
            return b""


def _open(folder: str, path: str) -> int:
    """Private to its user, in a folder that nobody else can replace."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _check_way_to(folder)
    file = _open_to_append(path)
    if os.fstat(file).st_size <= _LARGEST:
        return file
    os.close(file)
    os.replace(path, f"{path}.old")
    return _open_to_append(path)


def _open_to_append(path: str) -> int:
    # No link is followed, and no reader of a pipe is waited for; Windows has neither flag.
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | careful, 0o600)
    try:
        _check_own_file(path, os.fstat(file))
    except BaseException:
        os.close(file)
        raise
    return file


def _check_own_file(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise PermissionError(f"trust {path}: it is no file of one name; remove it")
    if os.name != "nt" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        raise PermissionError(f"trust {path}: it is not yours alone; remove it")


def _check_way_to(folder: str) -> None:
    """The folder is its user's alone to write to, and nobody else can rename one on the way to it."""
    if os.name == "nt":
        return
    place = os.path.realpath(folder)
    way = place
    while True:
        found = os.stat(way)
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid not in (0, os.geteuid()):
            raise PermissionError(f"trust {way}: user {found.st_uid} owns it, who is neither you nor root")
        if _is_shared(found) and (way == place or not mode & stat.S_ISVTX):
            raise PermissionError(
                f"trust {way}: its mode {mode:04o} lets others replace what is in it; run `chmod go-w` on it"
            )
        if way == os.path.dirname(way):
            return
        way = os.path.dirname(way)


def _is_shared(found: os.stat_result) -> bool:
    """A group of the user's own number is a group of nobody else, as for the daemon."""
    user, group = os.geteuid(), os.getegid()
    is_own_group = user == group == found.st_gid and user != 0
    return bool(found.st_mode & 0o002 or (found.st_mode & 0o020 and not is_own_group))
