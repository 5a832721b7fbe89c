"""Azure Cloud Shell: its user has signed in already, and the broker gets their tokens from an endpoint of the shell's.

That this is one, and where the endpoint is, the shell tells its programs by their environment, which is not the
broker's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def is_in_cloud_shell() -> bool:
    """By the environment of this process."""
    return os.environ.get("AZUREPS_HOST_ENVIRONMENT", "").startswith("cloud-shell")


def is_of_cloud_shell(account: Mapping[str, Any]) -> bool:
    """Whether the account came from there."""
    return account.get("authority_type") == "CLOUDSHELL"


def cloud_shell_endpoint() -> str:
    """Where the shell gives tokens."""
    return os.environ.get("MSI_ENDPOINT") or "http://localhost:50342/oauth2/token"
