"""Proof of possession: a signed request in the place of a bearer token."""

from __future__ import annotations


class PopAuthScheme:
    """The request that an access token is to be good for. The key that signs stays in the broker."""

    HTTP_GET = "GET"
    HTTP_POST = "POST"
    HTTP_PUT = "PUT"
    HTTP_DELETE = "DELETE"
    HTTP_PATCH = "PATCH"

    def __init__(self, http_method: str | None = None, url: str | None = None, nonce: str | None = None) -> None:
        if not (http_method and url and nonce):
            raise ValueError("http_method, url and nonce are all needed")
        methods = (self.HTTP_GET, self.HTTP_POST, self.HTTP_PUT, self.HTTP_DELETE, self.HTTP_PATCH)
        if http_method not in methods:
            raise ValueError(f"http_method must be one of {', '.join(methods)}")
        self._http_method = http_method
        self._url = url
        self._nonce = nonce


def scheme_on_wire(auth_scheme: object) -> dict[str, str] | None:
    """The ``auth_scheme`` member; a scheme of another kind is refused, since it would bring another token."""
    if not auth_scheme:
        return None
    if not isinstance(auth_scheme, PopAuthScheme):
        raise ValueError("auth_scheme must be a PopAuthScheme")
    return {"http_method": auth_scheme._http_method, "url": auth_scheme._url, "nonce": auth_scheme._nonce}
