"""Runs scenarios with two modules and says where they differ.

    python -m oracle.compare [--module valetkey] [group/name ...]

Prints the scenarios per group, and every difference that ``deviations.py`` does not explain; fails if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Iterator, NamedTuple

from .deviations import ABSENT, DEVIATIONS, Deviation
from .normalise import TIME_FIELDS, normalise
from .run_one import run_apart, scenario_names

_TOLERANCE_SECONDS = 30
_WORKERS = 4
_VERDICTS = ("equal", "differ on purpose", "differ")

#: field, value of the reference, value of the other
Difference = tuple[str, Any, Any]


class Comparison(NamedTuple):
    """Of one scenario: what nobody explains, and the deviations that explain the rest."""

    unexplained: list[Difference]
    deviations: set[Deviation]

    @property
    def verdict(self) -> str:
        if self.unexplained:
            return "differ"
        return "differ on purpose" if self.deviations else "equal"


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


def split_by_deviation(scenario: str, found: list[Difference]) -> Comparison:
    rows = {difference[0]: [row for row in DEVIATIONS if row.covers(scenario, difference)] for difference in found}
    return Comparison(
        [difference for difference in found if not rows[difference[0]]], set(chain.from_iterable(rows.values())))


def run_all(module: str, names: list[str]) -> dict[str, dict]:
    """The record of each scenario."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(names, pool.map(lambda name: run_apart(module, name), names)))


def compare_all(reference: dict[str, dict], other: dict[str, dict]) -> dict[str, Comparison]:
    return {name: split_by_deviation(name, compare_records(reference[name], record)) for name, record in other.items()}


def used_deviations(comparisons: dict[str, Comparison]) -> set[Deviation]:
    return set(chain.from_iterable(comparison.deviations for comparison in comparisons.values()))


def summary(comparisons: dict[str, Comparison]) -> Iterator[str]:
    """One line for each group, and one for all."""
    verdicts: dict[str, Counter[str]] = {}
    for name, comparison in sorted(comparisons.items()):
        for group in (name.split("/")[0], "all"):
            verdicts.setdefault(group, Counter())[comparison.verdict] += 1
    # The last one, whatever the names of the groups are.
    verdicts["all"] = verdicts.pop("all", Counter())
    for group, counts in verdicts.items():
        yield f"{group:16} {sum(counts.values()):3} scenarios: " + ", ".join(f"{counts[word]} {word}" for word in _VERDICTS)


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
    comparisons = compare_all(run_all("msal", names), run_all(arguments.module, names))
    print("\n".join(summary(comparisons)))
    for name, comparison in comparisons.items():
        for field, expected, actual in comparison.unexplained:
            print(f"{name}: {field}\n    msal: {expected!r}\n    {arguments.module}: {actual!r}")
    used = used_deviations(comparisons)
    for row in DEVIATIONS:
        print(f"{'deviation' if row in used else 'not seen '} {row.scenario} {row.field}: {row.reason}")
    return int(any(comparison.unexplained for comparison in comparisons.values()))


if __name__ == "__main__":
    sys.exit(main())
