"""Replays ``proto/vectors``, the conformance cases that every SDK shares."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

import valetkey
from conftest import StartDaemon
from scripted_daemon import Script
from valetkey.dpop import sign_dpop_proof

VECTORS = Path(__file__).parents[3] / "proto" / "vectors"
FEATURES = {
    "silent", "accounts", "device_code", "auth_code", "interactive", "client_credentials", "client_assertion",
    "on_behalf_of", "password", "refresh_token", "user_federated_credential", "authorization_code", "dpop",
}  # fmt: skip
MEMBERS = {"comment", "requires", "app", "given", "steps"}
RAISED = {
    "misuse": ValueError,
    "id_token": valetkey.IdTokenError,
    "timed_out": valetkey.BrowserInteractionTimeoutError,
    "provider": valetkey.MsalServiceError,
    "network": valetkey.ProviderUnreachableError,
    "broker": valetkey.BrokerError,
    "broker_unreachable": valetkey.BrokerUnreachableError,
}
PYTHON_NAMES = {"acquire_token_silent": "acquire_token_silent_with_error"}


def load(path: Path) -> dict[str, Any]:
    """A vector; skips the test when it is for a newer replayer or another feature."""
    vector: dict[str, Any] = json.loads(path.read_text("utf-8"))
    unknown = (vector.keys() - MEMBERS) | (set(vector["requires"]) - FEATURES)
    if unknown:
        pytest.skip(f"{path.name} needs {sorted(unknown)}")
    return vector


def test_there_are_vectors() -> None:
    assert len(list(VECTORS.glob("*.json"))) >= 20  # noqa: PLR2004


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_vector(path: Path, start_daemon: StartDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = load(path)
    script = Script(vector["given"])
    start_daemon(script)
    opened: list[str] = []

    def open_page(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    app = construct(**vector["app"])
    results: list[Any] = []
    for step in vector["steps"]:
        opened.clear()
        results.append(check(app, step, results))
        assert opened == step.get("opened", [])
    assert (script.complaints, script.unanswered()) == ([], [])


def construct(kind: str = "public", credential: Any = None, **options: Any) -> valetkey.ClientApplication:
    """The application that the members of ``POST /v1/apps`` define."""
    if kind == "public":
        return valetkey.PublicClientApplication(**options)
    if credential["type"] == "secret":
        credential = credential["secret"]
    elif credential["type"] == "assertion_callback":
        credential = {"client_assertion": make_assertion}
    return valetkey.ConfidentialClientApplication(client_credential=credential, **options)


def make_assertion(asked: dict[str, str]) -> str:
    """What the vectors' program answers."""
    return "|".join(asked.get(name, "") for name in ("client_id", "token_endpoint", "fmi_path"))


def check(app: valetkey.ClientApplication, step: dict[str, Any], results: list[Any]) -> Any:
    """Makes a step's call and compares the outcome."""
    name = PYTHON_NAMES.get(step["call"], step["call"])
    call = functools.partial(sign_dpop_proof, app) if name == "sign_dpop_proof" else getattr(app, name)
    arguments, expected = in_python(step["call"], step["arguments"], results), step["expect"]
    error = expected.get("error", {})
    if error.get("kind") in RAISED:
        with pytest.raises(RAISED[error["kind"]]) as caught:
            call(**arguments)
        assert error.get("hint", "") in str(caught.value)
        return None
    result = call(**arguments)
    check_result(result, expected)
    return result


def check_result(result: Any, expected: dict[str, Any]) -> None:
    """Compares what a call returned."""
    (kind, wanted), *_ = expected.items()
    if kind in ("token", "accounts", "proof"):
        assert result == wanted
    elif kind == "nothing":
        assert result is None
    elif kind == "pending":
        assert result["error"] == "authorization_pending"
    elif kind == "flow":
        told = {**result, "correlation_id": result.get("_correlation_id")}
        assert {name: told.get(name) for name in wanted} == wanted
    elif wanted["kind"] == "sign_in_needed":
        assert result is None
    else:
        assert (kind, wanted["kind"]) == ("error", "refused")
        assert result["error"] == wanted["code"]
        assert result == wanted.get("body", result)
        assert result.get("retry_after") == wanted.get("retry_after")


def in_python(call: str, arguments: dict[str, Any], results: list[Any]) -> dict[str, Any]:
    """A vector's arguments as MSAL for Python takes them."""
    arguments = dict(arguments)
    if "account" in arguments:
        arguments["account"] = {"home_account_id": arguments["account"]}
    if arguments.get("flow") == "$0":
        name = "auth_code_flow" if call == "acquire_token_by_auth_code_flow" else "flow"
        del arguments["flow"]
        # Web applications keep it in a session, as JSON.
        arguments[name] = json.loads(json.dumps(results[0]))
    if arguments.pop("wait", True) is False:
        arguments["exit_condition"] = lambda _flow: True
    return arguments
