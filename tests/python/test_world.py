"""The surroundings of the other tests, which leave nothing on the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from .conftest import open_world


class _BrokenProvider:
    def close(self) -> None:
        raise RuntimeError("it cannot be ended")


def test_a_world_that_cannot_be_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("VALETKEYD", "/nonexistent")
    with pytest.raises(AssertionError, match="is not there"), open_world():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_world_that_cannot_be_ended_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match="cannot be ended"), open_world() as world:
        world.providers.append(_BrokenProvider())
    assert list(tmp_path.iterdir()) == []
