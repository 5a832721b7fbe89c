"""Runs scenarios with two modules and says where they differ.

    python -m oracle.compare [--module valetkey] [group/name ...]

Prints the scenarios per group and every difference that ``deviations.py`` does not explain; fails if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

from .deviations import DEVIATIONS, Deviation
from .normalise import TIME_FIELDS, normalise
from .run_one import run_apart, scenario_names

_TOLERANCE_SECONDS = 30
_ABSENT = "<absent>"
_WORKERS = 2

#: field, value of the reference, value of the other
Difference = tuple[str, Any, Any]


def differences(reference: Any, other: Any, field: str = "") -> Iterator[Difference]:
    """Walks both values; ``field`` names the place as ``requests[2][0].form.scope``."""
    if isinstance(reference, dict) and isinstance(other, dict):
        for name in sorted(reference.keys() | other.keys()):
            place = f"{field}.{name}" if field else name
            yield from differences(reference.get(name, _ABSENT), other.get(name, _ABSENT), place)
    elif isinstance(reference, list) and isinstance(other, list):
        for index in range(max(len(reference), len(other))):
            yield from differences(_item(reference, index), _item(other, index), f"{field}[{index}]")
    elif reference != other and not _same_time(field, reference, other):
        yield field, reference, other


def compare_records(reference: dict, other: dict) -> list[Difference]:
    found = list(differences(normalise(reference), normalise(other)))
    return found + [("unexpected", [], [line]) for line in other["unexpected"]]


def split_by_deviation(scenario: str, found: list[Difference]) -> tuple[list[Difference], set[Deviation]]:
    """What nobody explains, and the deviations that explained the rest."""
    used = {row for field, *_ in found for row in DEVIATIONS if row.covers(scenario, field)}
    return [difference for difference in found if not any(row.covers(scenario, difference[0]) for row in used)], used


def compare_modules(names: list[str], module: str, reference: str = "msal") -> tuple[dict[str, list[Difference]], set[Deviation]]:
    """The unexplained differences of each scenario, and all deviations that occurred."""
    unexplained, used = {}, set()
    with ThreadPoolExecutor(_WORKERS) as pool:
        pairs = pool.map(lambda name: (name, run_apart(reference, name), run_apart(module, name)), names)
        for name, expected, actual in pairs:
            unexplained[name], rows = split_by_deviation(name, compare_records(expected, actual))
            used |= rows
    return unexplained, used


def _item(values: list, index: int) -> Any:
    return values[index] if index < len(values) else _ABSENT


def _same_time(field: str, reference: Any, other: Any) -> bool:
    numbers = all(isinstance(value, (int, float)) for value in (reference, other))
    return numbers and field.rpartition(".")[2] in TIME_FIELDS and abs(reference - other) <= _TOLERANCE_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="valetkey")
    parser.add_argument("scenarios", nargs="*")
    arguments = parser.parse_args()
    names = arguments.scenarios or scenario_names()
    unexplained, used = compare_modules(names, arguments.module)
    for group, count in sorted(Counter(name.split("/")[0] for name in names).items()):
        bad = sum(bool(found) for name, found in unexplained.items() if name.startswith(f"{group}/"))
        print(f"{group:16} {count:3} scenarios, {bad} differ")
    for name, found in unexplained.items():
        for field, expected, actual in found:
            print(f"{name}: {field}\n    msal: {expected!r}\n    {arguments.module}: {actual!r}")
    for row in DEVIATIONS:
        print(f"{'deviation' if row in used else 'not seen '} {row.scenario} {row.field}: {row.reason}")
    return int(any(unexplained.values()))


if __name__ == "__main__":
    sys.exit(main())
