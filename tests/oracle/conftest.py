"""Tells at the end what valetkey was not asked to do, so that nobody takes it for passed."""

from __future__ import annotations

import os

from .deviations import NOT_YET
from .run_one import scenario_names


def pytest_terminal_summary(terminalreporter):
    if "VALETKEYD" not in os.environ:
        return
    terminalreporter.section("not yet")
    for group, reason in NOT_YET.items():
        count = sum(name.startswith(f"{group}/") for name in scenario_names())
        terminalreporter.write_line(f"{group:16} {count:3} scenarios: {reason}")
