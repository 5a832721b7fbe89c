"""Opening the sign-in page, in the desktop session of whoever called."""

from __future__ import annotations

import logging
import sys
import webbrowser
from typing import Callable

logger = logging.getLogger(__name__)


def open_sign_in_page(uri: str, on_no_browser: Callable[[str], object] | None) -> None:
    """Opens the page in a browser (``BROWSER`` is honoured); else tells its address to the application or person."""
    if _is_page(uri) and _open(uri):
        return
    if on_no_browser:
        on_no_browser(uri)
        return
    logger.warning("no browser could be opened; the address of the sign-in page went to the terminal")
    # Not to the log: the address may hold the user's name.
    print(f"Open this page in a browser on this machine to sign in:\n{uri}", file=sys.stderr)


def _is_page(uri: str) -> bool:
    # A browser named by BROWSER is a command line, and other schemes start other programs.
    return uri.startswith(("https://", "http://")) and not any(mark in uri for mark in "\r\n\t")


def _open(uri: str) -> bool:
    try:
        return webbrowser.open(uri)
    except (webbrowser.Error, OSError):
        return False
