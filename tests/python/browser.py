#!/usr/bin/env python3
"""Stands in for the desktop's browser and its user at the Entra emulator: as ``BROWSER=…/browser.py`` it gets the page's URL.

``EMULATOR_URL`` is where the emulator is, ``SIGN_IN_USER`` who signs in, ``SIGN_IN_PERSON`` what they do (``agrees``).
It returns at once, as ``xdg-open`` does, and delivers the redirect behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

_DELIVER = "--deliver"


def deliver(page: str) -> None:
    act = {"url": page, "user": os.environ["SIGN_IN_USER"], "person": os.environ.get("SIGN_IN_PERSON", "agrees")}
    request = urllib.request.Request(
        os.environ["EMULATOR_URL"] + "/_emulator/authorize", json.dumps(act).encode(), {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    redirect = json.load(direct.open(request))
    if redirect["response_mode"] == "form_post":
        direct.open(redirect["redirect_uri"], redirect["form_body"].encode()).read()
    else:
        direct.open(redirect["url"]).read()


if __name__ == "__main__":
    if sys.argv[1] == _DELIVER:
        deliver(sys.argv[2])
    else:
        subprocess.Popen([sys.executable, __file__, _DELIVER, sys.argv[1]], start_new_session=True)
