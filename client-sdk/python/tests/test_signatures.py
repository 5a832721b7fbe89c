"""The names and signatures of MSAL, compared with MSAL itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import valetkey
import valetkey.authority
import valetkey.exceptions

msal: Any = pytest.importorskip("msal", reason="msal is not installed: pip install msal==1.39.0")

#: Deprecated calls that take a code or a token from the application, and password sign-in: the wire has none of them.
ABSENT = {
    "acquire_token_by_authorization_code",
    "acquire_token_by_refresh_token",
    "acquire_token_by_username_password",
    "get_authorization_request_url",
}


def methods_of(cls: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if name == "__init__" or not name.startswith("_")
    }


def shape_of(function: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", ["ClientApplication", "PublicClientApplication"])
def test_every_method_has_the_signature_of_msal(name: str) -> None:
    theirs, ours = methods_of(getattr(msal, name)), methods_of(getattr(valetkey, name))
    assert theirs.keys() - ours.keys() == ABSENT
    assert ours.keys() <= theirs.keys()
    assert {m: shape_of(ours[m]) for m in ours} == {m: shape_of(theirs[m]) for m in ours}


@pytest.mark.parametrize("name", ["MsalError", "MsalServiceError"])
def test_service_errors_are_told_apart_as_in_msal(name: str) -> None:
    theirs, ours = getattr(msal.exceptions, name), getattr(valetkey.exceptions, name)
    assert [c.__name__ for c in ours.__mro__] == [c.__name__ for c in theirs.__mro__]


@pytest.mark.parametrize("name", ["BrowserInteractionTimeoutError", "IdTokenError"])
def test_other_errors_have_the_bases_of_msal(name: str) -> None:
    assert getattr(valetkey, name).__bases__ == getattr(msal, name).__bases__


def test_constants_are_those_of_msal() -> None:
    names = [n for n, v in vars(valetkey.authority).items() if n.isupper() and n[0] != "_" and isinstance(v, str)]
    assert len(names) == 7  # noqa: PLR2004
    assert {n: getattr(valetkey.authority, n) for n in names} == {n: getattr(msal.authority, n) for n in names}
    prompts = {n: v for n, v in vars(msal.Prompt).items() if n.isupper()}
    assert {n: v for n, v in vars(valetkey.Prompt).items() if n.isupper()} == prompts
    ours, theirs = valetkey.PublicClientApplication, msal.PublicClientApplication
    assert ours.DEVICE_FLOW_CORRELATION_ID == theirs.DEVICE_FLOW_CORRELATION_ID


@pytest.mark.parametrize(("host", "tenant"), [("login.microsoftonline.com", "contoso"), ("h.example/", "/t/")])
def test_an_authority_is_built_as_by_msal(host: str, tenant: str) -> None:
    build = valetkey.authority.AuthorityBuilder
    assert str(build(host, tenant)) == str(msal.authority.AuthorityBuilder(host, tenant))
