#!/usr/bin/env python3
"""The user's browser without a user: loads the authorization URL and delivers what the provider answers to the client.

As ``BROWSER=…/browser.py`` it is what applications start; it returns at once, as ``xdg-open`` does, and delivers behind.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

_DELIVER = "--deliver"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def visit(authorization_url: str) -> list[tuple[str, dict]]:
    """The authorization responses, in order, as (redirect URI, parameters); the proxy and CA come from the environment."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))
    try:
        page = opener.open(authorization_url).read().decode()
    except urllib.error.HTTPError as answer:
        location = answer.headers.get("Location")
        if not location:
            raise
        return [(location.split("?")[0], dict(parse_qsl(urlsplit(location).query)))]
    return [_read_form(form) for form in re.findall(r"<form.*?</form>", page)]


def _read_form(form: str) -> tuple[str, dict]:
    action = unescape(re.search(r'action="([^"]*)"', form).group(1))
    fields = re.findall(r'name="([^"]*)" value="([^"]*)"', form)
    return action, {name: unescape(value) for name, value in fields}


def _deliver(authorization_url: str):
    """The listener belongs to the client on this machine, so no proxy; a refusal (400) is for the client to judge."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    form_post = "response_mode=form_post" in authorization_url
    for target, parameters in visit(authorization_url):
        query = urlencode(parameters)
        try:
            if form_post:
                direct.open(target, data=query.encode()).read()
            else:
                direct.open(f"{target}?{query}").read()
        except urllib.error.HTTPError:
            continue


def main():
    if sys.argv[1] == _DELIVER:
        _deliver(sys.argv[2])
    else:
        subprocess.Popen([sys.executable, __file__, _DELIVER, sys.argv[1]], start_new_session=True)


if __name__ == "__main__":
    main()
