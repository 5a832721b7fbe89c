"""The address of a sign-in page for applications that redeem the code by themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ._api import App
from ._arguments import without_none
from ._transport import ApiError

logger = logging.getLogger(__name__)

#: What ties a page to a flow of the broker's, which has the other half.
_OF_THE_FLOW = frozenset(
    {"code_challenge", "code_challenge_method", "state", "nonce", "response_type", "client_info", "X-AnchorMailbox"}
)


def build_authorization_url(
    app: App, request: Mapping[str, Any], *, response_type: str, state: str | None, nonce: str | None
) -> str:
    """The page that a flow would have, with the application's own ``state`` and ``nonce``. No flow is left open."""
    flow = app.start_flow(request)
    try:
        app.cancel_flow(flow["flow"])
    except ApiError as error:
        logger.debug("the flow ends by itself: %s", error)
    page = urlsplit(flow["auth_uri"])
    kept = [(name, value) for name, value in parse_qsl(page.query) if name not in _OF_THE_FLOW]
    own = without_none(response_type=response_type, state=state, nonce=nonce)
    address: str = urlunsplit(page._replace(query=urlencode([*kept, *own.items()])))
    return address
