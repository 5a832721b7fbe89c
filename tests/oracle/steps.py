"""What a scenario is given beside the module: each call it makes is one step, kept with its outcome and its requests."""

from __future__ import annotations

import json
from typing import Any, Callable

from . import browser
from .recorder import Recorder


class Steps:
    """``step(function, *arguments)`` calls it and returns its value; after an exception it is None, as nothing came back."""

    def __init__(self, module: Any, recorder: Recorder):
        self._module = module
        self._recorder = recorder
        self.record: list[dict] = []

    def __call__(self, function: Callable, *arguments, trace: str | None = None, **named) -> Any:
        """``trace`` names the recorded flow in ``wire_traces.json`` whose requests this step must repeat."""
        before = len(self._recorder.requests)
        entry = {"call": _name_of(function), "trace": trace}
        value = None
        try:
            value = function(*arguments, **named)
            entry["result"] = _plain(value)
        except Exception as error:
            entry["raised"] = type(error).__name__
            entry["message"] = str(error)
        entry["requests"] = self._recorder.recorded()[before:]
        self.record.append(entry)
        return value

    def authorize(self, authorization_url: str) -> dict:
        """The user signs in at the URL of ``initiate_auth_code_flow``; the last answer's parameters come back."""
        _, parameters = self(browser.visit, authorization_url)[-1]
        return parameters

    def await_refresh(self):
        """What the last call sent behind its answer belongs to it; with MSAL, which sends before it answers, it is there."""
        before = sum(len(entry["requests"]) for entry in self.record)
        self._recorder.await_request(grant_type="refresh_token")
        self.record[-1]["requests"] += self._recorder.recorded()[before:]

    @property
    def shared_cache(self) -> dict:
        """Constructor arguments by which two applications share tokens: MSAL needs a cache object, a broker nothing."""
        if self._module.__name__ != "msal":
            return {}
        if not hasattr(self, "_cache"):
            self._cache = self._module.TokenCache()
        return {"token_cache": self._cache}


def _name_of(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _plain(value: Any) -> Any:
    """A copy that later changes do not reach, since MSAL changes its flow dictionaries as it goes."""
    return json.loads(json.dumps(value, default=lambda other: f"<{type(other).__name__}>"))
