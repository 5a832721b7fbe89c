"""Where valetkey differs from MSAL on purpose.

Nothing is added here to make a test pass: each row says what a user gains, and ``CHANGELOG.md`` tells it to users. A row that
no longer describes a difference makes the full comparison fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

ABSENT = "<absent>"
_ANYTHING = object()


@dataclass(frozen=True)
class Deviation:
    """``scenario`` and ``field`` are shell patterns; ``msal`` and ``ours``, where given, are the values that must be there."""

    scenario: str
    field: str
    reason: str
    msal: Any = _ANYTHING
    ours: Any = _ANYTHING

    def covers(self, scenario: str, difference: tuple[str, Any, Any]) -> bool:
        field, msal, ours = difference
        # Brackets in a field are indexes (``results[3]``), not the character classes of a shell pattern.
        is_there = fnmatchcase(scenario, self.scenario) and fnmatchcase(field, re.sub(r"\[", "[[]", self.field))
        return is_there and self.msal in (_ANYTHING, msal) and self.ours in (_ANYTHING, ours)


#: MSAL asks Microsoft which names its cloud has, once for each application.
_ALIASES = (
    "discovery.https://login.microsoftonline.com/common/discovery/instance api-version=1.1 "
    "authorization_endpoint=https://login.microsoftonline.com/common/oauth2/authorize")
_CONFIGURATION = "discovery.https://login.microsoftonline.com/TENANT/v2.0/.well-known/openid-configuration"

_STAYS = "what could open everything stays in the daemon"
_NO_NETWORK = "creating an application, and a plain miss, ask no network"
_AGING = "an aging token is answered at once and refreshed behind; a fault of that refresh is no fault of the token"
_DEAD = "a dead refresh token is dropped: the next call says that a sign-in is needed, and sends nothing"
_REGIONAL = "discovery.https://westus2.login.microsoft.com/TENANT/v2.0/.well-known/openid-configuration"
_REGION = "a region's endpoints are the central ones at the region's host: no second discovery"
_POLLS = "the daemon polls at the provider's interval, whoever asks; a call tells what is known"

DEVIATIONS = [
    Deviation("*", "results[*].returned.refresh_token", _STAYS, ours=ABSENT),
    Deviation("*", "results[*].returned.device_code", f"{_STAYS}: the flow's id stands for the device code", msal="DC"),
    Deviation("auth_code/*", "results[*].returned.code_verifier", _STAYS, ours=ABSENT),
    Deviation("auth_code/*", "results[*].returned.nonce", _STAYS, ours=ABSENT),
    Deviation("auth_code/*", "results[*].returned._valetkey_flow", "the flow's id stands for verifier and nonce", msal=ABSENT),
    Deviation("*", "results[*].returned.scope", "a cached result tells its scopes", msal=ABSENT),
    Deviation("*", "results[*].returned.correlation_id", "every refusal has one, as MSAL's overview promises", msal=ABSENT),
    Deviation("throttling/*", "results[*].returned.retry_after", "a refusal tells how long to wait", msal=ABSENT),
    Deviation("*", _ALIASES, "the names of Microsoft's clouds are built in", msal=True),
    Deviation("accounts/none", _CONFIGURATION, _NO_NETWORK, msal=True),
    Deviation("silent/no_account", _CONFIGURATION, _NO_NETWORK, msal=True),
    Deviation("silent/nothing_cached", _CONFIGURATION, _NO_NETWORK, msal=True),
    Deviation("silent/aging_refreshes", "results[4].returned.*", _AGING),
    Deviation("silent/aging_and_unavailable", "results[4].r*", _AGING),
    Deviation(
        "silent/aging_*", "requests[4][0].headers.x-client-last-telemetry",
        "the answer from the cache is counted before the refresh behind it is sent", "4|0|||", "4|1|||"),
    Deviation("throttling/repeated_refusal", "results[5].returned", _DEAD, ours=None),
    Deviation("device_code/single_poll", "results[?].returned.*", _POLLS),
    Deviation("device_code/single_poll", "requests[3][0]", _POLLS, ours=ABSENT),
    Deviation("auth_code/nonce_mismatch", "results[3].raised", "IdTokenError is a RuntimeError", "RuntimeError", "IdTokenError"),
    Deviation("confidential/region", _REGIONAL, _REGION, msal=True),
    Deviation("confidential/region", "requests[0][0]", "a region that is named is not looked up as well", ours=ABSENT),
    Deviation("authority/generic_oidc", "results[*].environment", "issuers on one host are strangers to each other"),
]
