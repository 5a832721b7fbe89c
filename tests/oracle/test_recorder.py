"""The recording provider is reached through the proxy with TLS, through the proxy without, and directly."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request

import pytest

from .provider import Provider, Rule, reply, tokens
from .recorder import Recorder

RULES = [
    Rule("/token", reply({"error": "once"}, status=400, headers={"Retry-After": "7"}), form={"a": "1"}, times=1),
    tokens(user=None),
    Rule("/page", reply({"page": True}), method="GET"),
]


@pytest.fixture
def recorder(tmp_path):
    provider = Provider(RULES)
    recorder = Recorder(tmp_path, provider.respond)
    recorder.provider = provider
    yield recorder
    recorder.close()


def opener(recorder: Recorder) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=str(recorder.authority.path))
    proxy = urllib.request.ProxyHandler({"https": recorder.url, "http": recorder.url})
    return urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=context))


@pytest.mark.parametrize("url", ["https://login.microsoftonline.com/page", "http://169.254.169.254/page"])
def test_any_host_is_answered_through_the_proxy(recorder, url):
    assert json.load(opener(recorder).open(f"{url}?q=a%20b")) == {"page": True}
    [request] = recorder.recorded()
    assert (request["url"], request["query"]) == (url, {"q": "a b"})


def test_a_direct_request_is_answered(recorder):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert json.load(direct.open(f"{recorder.url}/page")) == {"page": True}
    assert recorder.requests[0].url == f"{recorder.url}/page"


def test_a_rule_is_used_up_and_the_next_one_answers(recorder):
    client = opener(recorder)
    with pytest.raises(urllib.error.HTTPError) as refused:
        client.open("https://h.example/t/token", data=b"a=1&b=")
    assert (refused.value.code, refused.value.headers["Retry-After"]) == (400, "7")
    assert json.load(client.open("https://h.example/t/token", data=b"a=1"))["access_token"] == "AT"
    assert [request.form for request in recorder.requests] == [{"a": "1", "b": ""}, {"a": "1"}]


def test_a_request_that_nobody_foresaw_is_kept(recorder):
    with pytest.raises(urllib.error.HTTPError):
        opener(recorder).open("https://h.example/elsewhere")
    assert recorder.provider.unexpected == ["GET https://h.example/elsewhere {}"]
