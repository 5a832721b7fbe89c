"""The comparison sees what matters and overlooks what does not."""

from __future__ import annotations

import copy

import pytest

from .compare import compare_records, split_by_deviation, summary
from .deviations import ABSENT

ID_A, ID_B = "3b241101-e2bb-4255-8caf-4136c566a962", "7d444840-9dc0-11d1-b245-5ffdce74fad2"
RECORD = {
    "started": 1000.0,
    "ended": "well",
    "unexpected": [],
    "steps": [
        {
            "call": "initiate_auth_code_flow",
            "result": {"state": "a" * 22, "scope": ["b", "a"], "auth_uri": "https://h/authorize?state=" + "a" * 22 + "&prompt=login"},
            "requests": [],
        },
        {
            "call": "acquire_token_silent",
            "result": {"access_token": "AT", "refresh_token": "RT", "expires_in": 3599, "refresh_on": 2800},
            "requests": [
                {
                    "method": "GET", "url": "https://h/t/.well-known/openid-configuration", "query": {}, "form": {},
                    "headers": {"accept": "*/*"},
                },
                {
                    "method": "POST", "url": "https://h/token", "query": {},
                    "form": {"scope": "a b", "code_verifier": "v" * 43, "redirect_uri": "http://localhost:1"},
                    "headers": {"client-request-id": ID_A, "x-client-ver": "1", "user-agent": "u", "x-last": f"84,{ID_A}"},
                },
            ],
        },
    ],
}


def check(change, *expected_fields: str):
    other = copy.deepcopy(RECORD)
    change(other)
    assert [field for field, *_ in compare_records(RECORD, other)] == list(expected_fields)


def token_request(record: dict) -> dict:
    return record["steps"][1]["requests"][1]


@pytest.mark.parametrize("change", [
    lambda record: token_request(record)["headers"].update({"client-request-id": ID_B, "x-last": f"84,{ID_B}"}),
    lambda record: token_request(record)["headers"].update({"x-client-ver": "2", "user-agent": "other"}),
    lambda record: token_request(record)["form"].update({"code_verifier": "w" * 64, "redirect_uri": "http://localhost:5555"}),
    lambda record: record["steps"][0]["result"].update(
        scope=["a", "b"], state="z" * 43, auth_uri="https://h/authorize?prompt=login&state=" + "z" * 43),
    lambda record: record["steps"][1]["result"].update(expires_in=3590, refresh_on=2795),
    lambda record: record["steps"][0]["requests"].append(record["steps"][1]["requests"].pop(0)),
], ids=["another id", "versions", "random values", "order and state", "seconds", "discovery at another time"])
def test_what_differs_by_nature_is_overlooked(change):
    check(change)


@pytest.mark.parametrize("change, field", [
    (lambda record: token_request(record)["headers"].update({"client-request-id": ID_B}), "requests[1][0].headers.x-last"),
    (lambda record: token_request(record)["headers"].update({"x-stray": "1"}), "requests[1][0].headers.x-stray"),
    (lambda record: token_request(record)["form"].update(scope="a"), "requests[1][0].form.scope"),
    (lambda record: token_request(record)["form"].update(code_verifier="short"), "requests[1][0].form.code_verifier"),
    (lambda record: token_request(record).update(url="https://h/other"), "requests[1][0].url"),
    (lambda record: record["steps"][1]["requests"].append(token_request(record)), "requests[1][1]"),
    (lambda record: record["steps"][1]["requests"].pop(), "requests[1][0]"),
    (lambda record: record["steps"][1]["result"].update(expires_in=300), "results[1].returned.expires_in"),
    (lambda record: record["steps"][1]["result"].update(access_token="AT2"), "results[1].returned.access_token"),
    (lambda record: record["steps"][1].update(result=None), "results[1].returned"),
    (lambda record: record["steps"][0]["result"].update(auth_uri="https://h/authorize?prompt=none&state=" + "a" * 22),
     "results[0].returned.auth_uri.query.prompt"),
    (lambda record: record["steps"][1]["requests"].pop(0), "discovery.https://h/t/.well-known/openid-configuration"),
    (lambda record: record["unexpected"].append("GET https://elsewhere"), "unexpected"),
    (lambda record: record.update(ended="ValueError: not enough values"), "ended"),
])
def test_what_matters_is_seen(change, field):
    check(change, field)


@pytest.mark.parametrize("error, message, expected", [
    ("ValueError", "another text", []),
    ("KeyError", "the text", ["results[1].raised"]),
])
def test_an_exception_is_known_by_its_type(error, message, expected):
    reference = raising("ValueError", "the text")
    assert [field for field, *_ in compare_records(reference, raising(error, message))] == expected


def raising(error: str, message: str) -> dict:
    failed = {"call": "acquire_token_silent", "raised": error, "message": message, "requests": []}
    return {**RECORD, "steps": [RECORD["steps"][0], failed]}


def test_a_deviation_explains_its_field_and_no_other():
    token, scope = ("results[1].returned.refresh_token", "RT", ABSENT), ("requests[1][0].form.scope", "a", "b")
    unexplained, used = split_by_deviation("silent/hit", [token, scope])
    assert unexplained == [scope]
    assert [row.field for row in used] == ["results[*].returned.refresh_token"]


def test_a_deviation_explains_its_values_and_no_others():
    kept = ("results[1].returned.refresh_token", "RT", "RT")
    assert split_by_deviation("silent/hit", [kept]) == ([kept], set())


def test_the_summary_counts_what_differs_on_purpose_apart():
    token = ("results[1].returned.refresh_token", "RT", ABSENT)
    comparisons = {
        "silent/hit": split_by_deviation("silent/hit", [token]),
        "silent/miss": split_by_deviation("silent/miss", []),
        "accounts/none": split_by_deviation("accounts/none", [("ended", "well", "badly")]),
    }
    assert [line.split(None, 1)[1] for line in summary(comparisons)] == [
        "1 scenarios: 0 equal, 0 differ on purpose, 1 differ",
        "2 scenarios: 1 equal, 1 differ on purpose, 0 differ",
        "3 scenarios: 1 equal, 1 differ on purpose, 1 differ"]
