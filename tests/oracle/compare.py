"""Runs scenarios with two modules and says where they differ.

    python -m oracle.compare [--module valetkey] [group/name ...]

Prints the scenarios per group, those that cannot be run yet, and every difference that ``deviations.py`` does not explain;
fails if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Iterator

from .deviations import ABSENT, DEVIATIONS, NOT_YET, Deviation, is_not_yet
from .normalise import TIME_FIELDS, normalise
from .run_one import run_apart, scenario_names

_TOLERANCE_SECONDS = 30
_WORKERS = 4

#: field, value of the reference, value of the other
Difference = tuple[str, Any, Any]


def differences(reference: Any, other: Any, field: str = "") -> Iterator[Difference]:
    """Walks both values; ``field`` names the place as ``requests[2][0].form.scope``."""
    if isinstance(reference, dict) and isinstance(other, dict):
        for name in sorted(reference.keys() | other.keys()):
            place = f"{field}.{name}" if field else name
            yield from differences(reference.get(name, ABSENT), other.get(name, ABSENT), place)
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
    rows = {difference[0]: [row for row in DEVIATIONS if row.covers(scenario, difference)] for difference in found}
    return [difference for difference in found if not rows[difference[0]]], set(chain.from_iterable(rows.values()))


def run_all(module: str, names: list[str]) -> dict[str, dict]:
    """The record of each scenario."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(names, pool.map(lambda name: run_apart(module, name), names)))


def compare_all(reference: dict[str, dict], other: dict[str, dict]) -> tuple[dict[str, list[Difference]], set[Deviation]]:
    """The unexplained differences of each scenario that the other ran, and all deviations that occurred."""
    unexplained, used = {}, set()
    for name, record in other.items():
        unexplained[name], rows = split_by_deviation(name, compare_records(reference[name], record))
        used |= rows
    return unexplained, used


def summary(names: list[str], unexplained: dict[str, list[Difference]]) -> Iterator[str]:
    """One line for each group."""
    for group, count in sorted(Counter(name.split("/")[0] for name in names).items()):
        bad = sum(bool(found) for name, found in unexplained.items() if name.startswith(f"{group}/"))
        yield f"{group:16} {count:3} scenarios, " + (f"not yet: {NOT_YET[group]}" if group in NOT_YET else f"{bad} differ")


def _item(values: list, index: int) -> Any:
    return values[index] if index < len(values) else ABSENT


def _same_time(field: str, reference: Any, other: Any) -> bool:
    numbers = all(isinstance(value, (int, float)) for value in (reference, other))
    return numbers and field.rpartition(".")[2] in TIME_FIELDS and abs(reference - other) <= _TOLERANCE_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="valetkey")
    parser.add_argument("scenarios", nargs="*")
    arguments = parser.parse_args()
    names = arguments.scenarios or scenario_names()
    possible = [name for name in names if not is_not_yet(name)]
    unexplained, used = compare_all(run_all("msal", possible), run_all(arguments.module, possible))
    print("\n".join(summary(names, unexplained)))
    for name, found in unexplained.items():
        for field, expected, actual in found:
            print(f"{name}: {field}\n    msal: {expected!r}\n    {arguments.module}: {actual!r}")
    for row in DEVIATIONS:
        print(f"{'deviation' if row in used else 'not seen '} {row.scenario} {row.field}: {row.reason}")
    return int(any(unexplained.values()))


if __name__ == "__main__":
    sys.exit(main())
