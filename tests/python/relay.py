"""The emulator in Microsoft's place, for what MSAL and valetkey both file under Microsoft's host."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

from oracle.recorder import Request, Response

from .providers import EntraEmulator
from .world import PATIENCE_SECONDS

#: MSAL files tokens under the host alone, valetkey under an unusual port as well: both take this for the usual one.
SITE = "https://login.microsoftonline.com"


class Relay:
    """Passes requests for `SITE` on to the emulator."""

    def __init__(self, emulator: EntraEmulator) -> None:
        self._base_url = emulator.ready["base_url"]
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, asked: Request) -> Response:
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        form = urlencode(asked.form).encode() if asked.method == "POST" else None
        request = urllib.request.Request(self._base_url + asked.path + query, form)
        try:
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                return Response(json.load(answer))
        except urllib.error.HTTPError as refusal:
            return Response(json.load(refusal), refusal.code)
