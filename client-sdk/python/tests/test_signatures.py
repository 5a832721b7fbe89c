"""The names and signatures of MSAL, compared with MSAL itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import valetkey
import valetkey.application
import valetkey.auth_scheme
import valetkey.authority
import valetkey.exceptions
import valetkey.managed_identity

msal: Any = pytest.importorskip("msal", reason="msal is not installed: pip install msal==1.39.0")

#: What applications of MSAL's import from the package itself.
EXPORTED = {
    "ArcPlatformNotSupportedError", "AutoRefresher", "BrowserInteractionTimeoutError", "ClientApplication",
    "ConfidentialClientApplication", "IdTokenError", "ManagedIdentityClient", "ManagedIdentityError", "PopAuthScheme",
    "Prompt", "PublicClientApplication", "SerializableTokenCache", "SystemAssignedManagedIdentity", "TokenCache",
    "UserAssignedManagedIdentity", "__version__",
}  # fmt: skip
#: What applications construct; an ``IdTokenError`` they only catch.
CLASSES = sorted(name for name in EXPORTED - {"IdTokenError"} if isinstance(getattr(msal, name), type))
#: The entries of a cache are in the broker, so that a program can neither change one nor look for one.
ENTRIES = {"add", "find", "modify", "remove_account", "remove_at", "remove_idt", "remove_rt", "search", "update_rt"}
ABSENT = {"TokenCache": ENTRIES, "SerializableTokenCache": ENTRIES}
#: Names in modules of MSAL's that applications import from as well.
ELSEWHERE = [
    ("application", "ClientApplication"),
    ("application", "ConfidentialClientApplication"),
    ("application", "PublicClientApplication"),
    ("application", "extract_certs"),
    ("auth_scheme", "PopAuthScheme"),
    ("authority", "AuthorityBuilder"),
    ("exceptions", "MsalServiceError"),
    ("managed_identity", "ManagedIdentity"),
    ("managed_identity", "get_managed_identity_source"),
    ("token_cache", "SerializableTokenCache"),
]


def methods_of(cls: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if name in ("__init__", "__call__") or not name.startswith("_")
    }


def shape_of(function: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_every_name_of_msal_is_exported() -> None:
    assert set(valetkey.__all__) >= EXPORTED
    assert {name for name in EXPORTED if not hasattr(msal, name)} == set()


@pytest.mark.parametrize(("module", "name"), ELSEWHERE)
def test_names_of_msals_modules_are_where_they_are_looked_for(module: str, name: str) -> None:
    assert hasattr(getattr(msal, module), name)
    assert hasattr(getattr(valetkey, module), name)


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_has_the_signature_of_msal(name: str) -> None:
    theirs, ours = methods_of(getattr(msal, name)), methods_of(getattr(valetkey, name))
    # A class that has no constructor of its own has none to compare.
    shared = ours.keys() & theirs.keys()
    assert theirs.keys() - ours.keys() == ABSENT.get(name, set())
    assert ours.keys() - theirs.keys() <= {"__init__"}
    assert {m: shape_of(ours[m]) for m in shared} == {m: shape_of(theirs[m]) for m in shared}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("exceptions", "MsalError"),
        ("exceptions", "MsalServiceError"),
        ("managed_identity", "ManagedIdentityError"),
        ("managed_identity", "ArcPlatformNotSupportedError"),
        ("managed_identity", "UserAssignedManagedIdentity"),
        ("application", "ConfidentialClientApplication"),
        ("token_cache", "SerializableTokenCache"),
    ],
)
def test_classes_descend_as_in_msal(module: str, name: str) -> None:
    theirs, ours = getattr(getattr(msal, module), name), getattr(getattr(valetkey, module), name)
    assert [c.__name__ for c in ours.__mro__] == [c.__name__ for c in theirs.__mro__]


@pytest.mark.parametrize("name", ["BrowserInteractionTimeoutError", "IdTokenError"])
def test_other_errors_have_the_bases_of_msal(name: str) -> None:
    assert getattr(valetkey, name).__bases__ == getattr(msal, name).__bases__


def test_hosts_of_clouds_are_those_of_msal() -> None:
    names = [n for n, v in vars(valetkey.authority).items() if n.isupper() and n[0] != "_" and isinstance(v, str)]
    assert len(names) == 7  # noqa: PLR2004
    assert {n: getattr(valetkey.authority, n) for n in names} == {n: getattr(msal.authority, n) for n in names}


@pytest.mark.parametrize(
    "path",
    [
        "Prompt.NONE", "Prompt.LOGIN", "Prompt.CONSENT", "Prompt.SELECT_ACCOUNT", "Prompt.CREATE",
        "PublicClientApplication.DEVICE_FLOW_CORRELATION_ID",
        "ClientApplication.ATTEMPT_REGION_DISCOVERY", "ClientApplication.DISABLE_MSAL_FORCE_REGION",
        "PopAuthScheme.HTTP_GET", "PopAuthScheme.HTTP_PATCH",
        "TokenCache.CredentialType.ACCESS_TOKEN", "TokenCache.CredentialType.REFRESH_TOKEN",
        "TokenCache.CredentialType.ACCOUNT", "TokenCache.CredentialType.ID_TOKEN",
        "TokenCache.CredentialType.APP_METADATA",
        "TokenCache.AuthorityType.ADFS", "TokenCache.AuthorityType.MSSTS",
    ],
)  # fmt: skip
def test_constants_are_those_of_msal(path: str) -> None:
    theirs, ours = msal, valetkey
    for name in path.split("."):
        theirs, ours = getattr(theirs, name), getattr(ours, name)
    assert ours == theirs


@pytest.mark.parametrize(("host", "tenant"), [("login.microsoftonline.com", "contoso"), ("h.example/", "/t/")])
def test_an_authority_is_built_as_by_msal(host: str, tenant: str) -> None:
    build = valetkey.authority.AuthorityBuilder
    assert str(build(host, tenant)) == str(msal.authority.AuthorityBuilder(host, tenant))
