"""The oracle is sound: MSAL runs every scenario, and what it sends is what was recorded from it before.

With ``VALETKEYD=/path/to/valetkeyd`` in the environment, valetkey runs them as well and is held against MSAL.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .compare import Comparison, compare_all, compare_records, run_all, used_deviations
from .conftest import COMPARISONS
from .deviations import DEVIATIONS
from .normalise import normalise_requests, request_of_trace
from .provider import code_challenge_of
from .run_one import run_apart, scenario_names

VECTORS = Path(__file__).parents[1] / "vectors" / "msal"
TRACES = {trace["name"]: trace for trace in json.loads((VECTORS / "wire_traces.json").read_text())}

#: Recorded flows that no scenario repeats, and why.
NOT_REPEATED = {"get_accounts grouped": "it starts from a cache that no sign-in leaves; the cache vectors cover it"}

ONE_OF_EACH_GROUP = list({name.split("/")[0]: name for name in scenario_names()}.values())


@pytest.fixture(scope="module")
def records() -> dict[str, dict]:
    return run_all("msal", scenario_names())


@pytest.mark.parametrize("name", scenario_names())
def test_msal_sends_what_was_recorded_and_nothing_unforeseen(records, name):
    record = records[name]
    assert record["unexpected"] == []
    assert record["ended"] == "well"
    for step in record["steps"]:
        if step["trace"]:
            check_trace(record, step)


def check_trace(record: dict, step: dict):
    trace = TRACES[step["trace"]]
    expected = normalise_requests([request_of_trace(request) for request in trace["requests"]])
    assert normalise_requests(step["requests"]) == expected, step["trace"]
    assert step.get("raised") == trace.get("raised"), step["trace"]


def test_every_recorded_flow_has_a_scenario(records):
    repeated = {step["trace"] for record in records.values() for step in record["steps"]} - {None}
    assert repeated == TRACES.keys() - NOT_REPEATED.keys()


@pytest.mark.parametrize("name", [name for name in scenario_names() if name.startswith(("auth_code/", "interactive/"))])
def test_every_verifier_fits_the_challenge_before_it(records, name):
    requests = [request for step in records[name]["steps"] for request in step["requests"]]
    challenge = None
    for request in requests:
        challenge = request["query"].get("code_challenge", challenge)
        if "code_verifier" in request["form"]:
            assert code_challenge_of(request["form"]["code_verifier"]) == challenge


@pytest.mark.parametrize("name", ONE_OF_EACH_GROUP)
def test_two_runs_of_msal_do_not_differ(records, name):
    assert compare_records(records[name], run_apart("msal", name)) == []


NEEDS_DAEMON = pytest.mark.skipif("VALETKEYD" not in os.environ, reason="VALETKEYD does not name the daemon to compare with MSAL")


@pytest.fixture(scope="module")
def records_of_valetkey() -> dict[str, dict]:
    return run_all("valetkey", scenario_names())


@pytest.fixture(scope="module")
def comparisons(records, records_of_valetkey, request) -> dict[str, Comparison]:
    comparisons = compare_all(records, records_of_valetkey)
    request.config.stash[COMPARISONS] = comparisons
    return comparisons


@NEEDS_DAEMON
@pytest.mark.parametrize("name", scenario_names())
def test_valetkey_differs_from_msal_only_on_purpose(comparisons, name):
    assert comparisons[name].unexplained == []


#: By ``token_source``: members that MSAL's results have and ours lack, and the other way round.
LEFT_OUT = {"identity_provider": {"refresh_token"}, "cache": set(), "broker": set()}
ADDED = {"identity_provider": set(), "cache": {"scope"}, "broker": {"scope"}}


@NEEDS_DAEMON
@pytest.mark.parametrize("source", LEFT_OUT)
def test_a_result_has_the_members_of_msals_by_where_it_came_from(records, records_of_valetkey, source):
    pairs = list(token_results(records, records_of_valetkey, source))
    assert set().union(*(theirs.keys() - ours.keys() for theirs, ours in pairs)) == LEFT_OUT[source]
    assert set().union(*(ours.keys() - theirs.keys() for theirs, ours in pairs)) == ADDED[source]


def token_results(records: dict[str, dict], others: dict[str, dict], source: str):
    """What the same call returned here and there, where both have the token from there."""
    for name, record in records.items():
        for step, other in zip(record["steps"], others[name]["steps"]):
            results = [it.get("result") for it in (step, other)]
            if all(isinstance(it, dict) and it.get("token_source") == source for it in results):
                yield results


@NEEDS_DAEMON
def test_every_deviation_occurs(comparisons):
    used = used_deviations(comparisons)
    assert [row for row in DEVIATIONS if row not in used] == []
