"""Runs one scenario with one module and prints the record as JSON.

    python -m oracle.run_one --module msal device_code/pending_then_success

``--module valetkey`` needs ``VALETKEYD`` (or valetkeyd on PATH) and the SDK on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

from . import world
from .provider import Provider
from .steps import Steps

SCENARIOS = Path(__file__).with_name("scenarios")
_TESTS = Path(__file__).parents[1]
_PYTHON_SDK = _TESTS.parent / "client-sdk" / "python" / "src"
_LIMIT_SECONDS = 120


def scenario_names() -> list[str]:
    return sorted(str(path.relative_to(SCENARIOS).with_suffix("")) for path in SCENARIOS.glob("*/*.py"))


def run(module_name: str, scenario_name: str) -> dict:
    scenario = importlib.import_module(f"{__package__}.scenarios.{scenario_name.replace('/', '.')}")
    provider = Provider(scenario.PROVIDER)
    with world.folders() as home, world.recording(home, provider.respond) as recorder, world.client_under_test(module_name):
        started = time.time()
        module = importlib.import_module(module_name)
        steps = Steps(module, recorder)
        ended = _run_to_its_end(scenario, module, steps)
    return {
        "scenario": scenario_name,
        "module": module_name,
        "started": started,
        "steps": steps.record,
        "ended": ended,
        "unexpected": provider.unexpected,
    }


def _run_to_its_end(scenario, module, steps: Steps) -> str:
    """A scenario goes on with what came back; when that is not what it counts on, the steps so far tell why."""
    try:
        scenario.run_scenario(module, steps)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "well"


def run_apart(module_name: str, scenario_name: str) -> dict:
    """The same in a process of its own: both modules are configured by the environment, and keep state in the process."""
    return run_module("oracle.run_one", "--module", module_name, scenario_name)


def run_module(*arguments: str) -> dict:
    """``python -m …`` with this package and valetkey's Python SDK in reach; its standard output is JSON."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), str(_PYTHON_SDK)])}
    process = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed: {process.stderr}")
    return json.loads(process.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="msal", help="anything with MSAL's surface: msal, valetkey")
    parser.add_argument("scenario", help="group/name, as under scenarios/")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    json.dump(run(arguments.module, arguments.scenario), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
