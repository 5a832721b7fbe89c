"""DPoP (RFC 9449): tokens that are bound to a key of the broker's, and the proofs that go with them.

An application is opened with it by ``PublicClientApplication(..., oidc_authority=..., dpop=True)``; ``token_type`` of its
tokens is ``DPoP``. A request to a resource then carries ``Authorization: DPoP <token>`` and ``DPoP: <proof>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import raise_fault
from ._transport import ApiError

if TYPE_CHECKING:
    from ._client import ClientApplication


def sign_dpop_proof(
    app: ClientApplication, access_token: str, http_method: str, url: str, nonce: str | None = None
) -> str:
    """The ``DPoP`` header of one request with this token; ``nonce`` is what the resource last sent as ``DPoP-Nonce``."""
    if not (access_token and http_method and url):
        raise ValueError("access_token, http_method and url are all needed")
    try:
        return app._app.sign_proof(access_token, http_method, url, nonce)
    except ApiError as error:
        raise_fault(error)
