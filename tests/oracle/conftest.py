"""Tells at the end how many scenarios of each group valetkey ran as MSAL does, and how many it ran otherwise on purpose."""

from __future__ import annotations

import pytest

from .compare import Comparison, summary

COMPARISONS = pytest.StashKey[dict[str, Comparison]]()


def pytest_terminal_summary(terminalreporter, config):
    comparisons = config.stash.get(COMPARISONS, None)
    if comparisons is None:
        return
    terminalreporter.section("valetkey beside msal")
    for line in summary(comparisons):
        terminalreporter.write_line(line)
