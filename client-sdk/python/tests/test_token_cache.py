"""Token caches: which of the broker's an application uses, and those that it keeps itself."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

import valetkey as msal
from conftest import StartDaemon, refused
from scripted_daemon import Reply, Request, answer

ENTRY = {"Account": {"u.t-login-t": {"home_account_id": "u.t"}}}


class CacheDaemon:
    """Keeps a private cache and its version."""

    def __init__(self) -> None:
        self.version, self.cache = 0, dict[str, Any]()

    def __call__(self, request: Request) -> Reply:
        if request.target.endswith("/cache"):
            if request.method == "PUT":
                self.version, self.cache = self.version + 1, request.body["cache"]
                return answer(200, {"version": self.version})
            return answer(200, {"version": self.version, "cache": self.cache})
        return answer(204) if request.method == "DELETE" else answer(200, {"app": "a/1", "accounts": []})

    def changes(self) -> None:
        """A token was issued."""
        self.version, self.cache = self.version + 1, ENTRY


def public(**options: Any) -> msal.PublicClientApplication:
    return msal.PublicClientApplication("client-1", **options)


def private_caches_of(start_daemon: StartDaemon, *caches: Any) -> list[Any]:
    """The ``private_cache`` that each of so many applications was opened with."""
    daemon = start_daemon(CacheDaemon())
    for cache in caches:
        public(token_cache=cache).get_accounts()
    return [request.body.get("private_cache") for request in daemon.requests if request.target == "/v1/apps"]


def test_no_cache_means_the_shared_one(start_daemon: StartDaemon) -> None:
    shared = public().token_cache
    assert isinstance(shared, msal.TokenCache)
    assert private_caches_of(start_daemon, None, shared) == [None, None]


def test_a_cache_object_is_a_private_cache_for_all_that_have_it(start_daemon: StartDaemon) -> None:
    one, other = msal.TokenCache(), msal.SerializableTokenCache()
    first, second, third = private_caches_of(start_daemon, one, other, one)
    assert first == third != second
    assert (len(first), len(second)) == (32, 32)


def test_a_cache_before_any_application_is_what_was_put_into_it() -> None:
    cache = msal.SerializableTokenCache()
    assert (json.loads(cache.serialize()), cache.has_state_changed) == ({}, False)
    cache.deserialize(json.dumps(ENTRY))
    assert (json.loads(cache.serialize()), cache.has_state_changed) == (ENTRY, False)
    cache.deserialize(None)
    assert json.loads(cache.serialize()) == {}


@pytest.mark.parametrize("state", ["{", "[]", "null", '"text"'])
def test_what_is_no_cache_is_refused(state: str) -> None:
    with pytest.raises(ValueError, match=r"JSON object|Expecting"):
        msal.SerializableTokenCache().deserialize(state)


def test_a_cache_of_another_package_has_no_effect(start_daemon: StartDaemon) -> None:
    with pytest.warns(UserWarning, match="SerializableTokenCache takes"):
        assert private_caches_of(start_daemon, {"a": "dictionary"}) == [None]


def test_a_cache_of_the_applications_own_reaches_the_broker_before_it_is_used(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(CacheDaemon())
    cache = msal.SerializableTokenCache()
    cache.deserialize(json.dumps(ENTRY))
    app = public(token_cache=cache)
    assert daemon.requests == []
    app.get_accounts()
    assert [(r.method, r.target) for r in daemon.requests] == [
        ("POST", "/v1/apps"), ("PUT", "/v1/apps/a%2F1/cache"), ("GET", "/v1/apps/a%2F1/accounts"),
    ]  # fmt: skip
    assert daemon.requests[1].body == {"cache": ENTRY}
    assert not cache.has_state_changed


def test_a_change_is_told_until_it_is_saved(start_daemon: StartDaemon) -> None:
    kept = CacheDaemon()
    start_daemon(kept)
    cache = msal.SerializableTokenCache()
    public(token_cache=cache).get_accounts()
    assert not cache.has_state_changed
    kept.changes()
    assert cache.has_state_changed
    assert json.loads(cache.serialize()) == ENTRY
    assert not cache.has_state_changed
    kept.changes()
    cache.has_state_changed = False
    assert not cache.has_state_changed


def test_a_cache_in_use_is_replaced_in_the_broker(start_daemon: StartDaemon) -> None:
    kept = CacheDaemon()
    start_daemon(kept)
    cache = msal.SerializableTokenCache()
    public(token_cache=cache).get_accounts()
    kept.changes()
    cache.deserialize("")
    assert (kept.cache, cache.has_state_changed) == ({}, False)


def test_a_cache_is_put_once_however_many_connections_there_are(start_daemon: StartDaemon) -> None:
    kept = CacheDaemon()
    daemon = start_daemon(kept)
    cache = msal.SerializableTokenCache()
    cache.deserialize(json.dumps(ENTRY))
    app = public(token_cache=cache)
    app.get_accounts()
    kept.changes()
    daemon.hang_up()
    app.get_accounts()
    assert [request.method for request in daemon.requests].count("PUT") == 1
    assert cache.has_state_changed


def test_a_broker_that_was_started_anew_gets_the_cache_again(start_daemon: StartDaemon) -> None:
    kept = CacheDaemon()
    daemon = start_daemon(kept)
    cache = msal.SerializableTokenCache()
    app = public(token_cache=cache)
    app.get_accounts()
    kept.changes()
    saved = cache.serialize()
    kept.version, kept.cache = 0, {}
    daemon.hang_up()
    app.get_accounts()
    assert (kept.cache, cache.has_state_changed) == (ENTRY, False)
    assert cache.serialize() == saved


@pytest.mark.parametrize("call", ["serialize", "deserialize", "has_state_changed", "reset"])
def test_a_broker_that_cannot_serve_is_told(start_daemon: StartDaemon, call: str) -> None:
    kept = CacheDaemon()
    start_daemon(lambda r: refused("store_locked", 423) if r.target.endswith("/cache") else kept(r))
    cache = msal.SerializableTokenCache()
    public(token_cache=cache).get_accounts()
    calls: dict[str, Any] = {
        "serialize": cache.serialize,
        "deserialize": lambda: cache.deserialize("{}"),
        "has_state_changed": lambda: cache.has_state_changed,
        "reset": lambda: setattr(cache, "has_state_changed", False),
    }
    with pytest.raises(msal.BrokerError, match="store_locked"):
        calls[call]()


def test_a_cache_that_nobody_has_any_more_is_dropped_in_the_broker(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(CacheDaemon())
    app = public(token_cache=msal.TokenCache())
    app.get_accounts()
    name = daemon.requests[0].body["private_cache"]
    del app
    gc.collect()
    assert len(daemon.requests) == 2  # noqa: PLR2004
    public().get_accounts()
    opened, closed = daemon.requests[2:4]
    assert opened.body["private_cache"] == name
    assert (closed.method, closed.target) == ("DELETE", "/v1/apps/a%2F1")


def test_a_cache_that_the_broker_does_not_know_any_more_is_no_trouble(start_daemon: StartDaemon) -> None:
    kept = CacheDaemon()
    start_daemon(lambda r: refused("unknown_app", 404) if r.method == "DELETE" else kept(r))
    public(token_cache=msal.TokenCache()).get_accounts()
    gc.collect()
    assert public().get_accounts() == []
