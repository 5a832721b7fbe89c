"""A question to the person that the broker waits with: who waits for the answer is told so in the log."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import pytest

import valetkey._connection
from conftest import StartDaemon, refused
from scripted_daemon import Reply, Request, answer
from valetkey._transport import Transport


@pytest.mark.parametrize(
    ("prompts", "told"),
    [
        (answer(200, {"prompts": [{"processes": [1, os.getpid()], "seen": True}]}), "answer in the notification"),
        (answer(200, {"prompts": [{"processes": [os.getpid()], "seen": False}]}), "no desktop shows you the question"),
        (answer(200, {"prompts": [{"processes": [os.getpid()]}]}), "no desktop shows you the question"),
        (answer(200, {"prompts": [{"processes": [0]}]}), ""),
        (answer(200, {}), ""),
        (refused("access_denied", 403), ""),
    ],
)
def test_a_program_that_waits_for_the_persons_answer_says_so(
    start_daemon: StartDaemon,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    prompts: Reply,
    told: str,
) -> None:
    looked = threading.Event()

    def handle(request: Request) -> Reply:
        if request.target == "/v1/prompts?wait=0":
            looked.set()
            return prompts
        looked.wait(10)
        return answer(200, {"access_token": "at-1"})

    monkeypatch.setattr(valetkey._connection, "_SILENCE_SECONDS", 0.01)
    daemon = start_daemon(handle)
    with caplog.at_level(logging.WARNING, logger="valetkey"):
        assert Transport(daemon.path).request("POST", "/v1/apps/a1/token", {}) == {"access_token": "at-1"}
    waiting = [record.getMessage() for record in caplog.records if "waits for your answer" in record.getMessage()]
    assert looked.is_set()
    assert len(waiting) == bool(told)
    assert all(told in words and "90 s at most" in words for words in waiting)


def test_what_only_reads_looks_for_no_question(start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valetkey._connection, "_SILENCE_SECONDS", 0)
    daemon = start_daemon(lambda _: answer(200, {}))
    result: dict[str, Any] = Transport(daemon.path).request("GET", "/v1/flows/f?wait=30")
    assert (result, len(daemon.requests)) == ({}, 1)
