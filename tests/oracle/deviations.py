"""Where valetkey differs from MSAL on purpose: scenario, field and reason; the first two are shell patterns.

Nothing is added here to make a test pass. A row that no longer describes a difference makes the full comparison fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Deviation:
    scenario: str
    field: str
    reason: str

    def covers(self, scenario: str, field: str) -> bool:
        """Brackets in a field are indexes (``results[3]``), not the character classes of a shell pattern."""
        return fnmatchcase(scenario, self.scenario) and fnmatchcase(field, re.sub(r"\[", "[[]", self.field))


DEVIATIONS = [
    Deviation("*", "results[*].returned.refresh_token", "a refresh token does not leave the daemon (DESIGN, invariant 1)"),
    Deviation("silent/aging_and_unavailable", "results[*", "a 5xx while a token is only aging gives that token (DESIGN, section 6)"),
    Deviation("silent/aging_*", "results[*", "an aging token is answered at once and refreshed behind (DESIGN, section 6)"),
    Deviation("silent/aging_*", "requests[*", "the refresh behind the answer may come with a later step (DESIGN, section 6)"),
]
