"""Authorities: the hosts of Microsoft's clouds, and URLs of tenants."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

AZURE_PUBLIC = "login.microsoftonline.com"
WORLD_WIDE = AZURE_PUBLIC
AZURE_US_GOVERNMENT = "login.microsoftonline.us"
DEPRECATED_AZURE_CHINA = "login.chinacloudapi.cn"
AZURE_GOV_FR = "login.sovcloud-identity.fr"
AZURE_GOV_DE = "login.sovcloud-identity.de"
AZURE_GOV_SG = "login.sovcloud-identity.sg"

_DEFAULT = f"https://{WORLD_WIDE}/common/"
_CIAM_SUFFIX = ".ciamlogin.com"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class AuthorityBuilder:
    """Puts an authority's URL together from a host and a tenant."""

    def __init__(self, instance: str, tenant: str) -> None:
        self._instance = instance.rstrip("/")
        self._tenant = tenant.strip("/")

    def __str__(self) -> str:
        return f"https://{self._instance}/{self._tenant}"


class Authority:
    """An authority as its URL tells it. The broker discovers the rest; nothing is fetched here."""

    def __init__(self, url: str, *, is_issuer: bool = False) -> None:
        parts = urlsplit(url)
        tenant = _first_segment(parts)
        self._has_one_segment = len(parts.path.strip("/").split("/")) == 1 and not is_issuer
        if not _has_safe_scheme(parts) or not (is_issuer or tenant):
            raise ValueError(
                f"authority {url!r} is not an https URL with a host and a tenant, such as "
                f"https://{WORLD_WIDE}/organizations, https://contoso.ciamlogin.com/contoso.onmicrosoft.com "
                "or https://contoso.b2clogin.com/contoso.onmicrosoft.com/policy"
            )
        #: The provider's host.
        self.instance = parts.hostname or ""
        #: The tenant, or the first segment of the path of any other provider.
        self.tenant = tenant
        #: Whether it is Active Directory Federation Services.
        self.is_adfs = tenant.lower() == "adfs" and not self.instance.endswith(_CIAM_SUFFIX)

    def tenant_of(self, url: str) -> str | None:
        """The tenant of another authority, when that differs from this one in the tenant alone."""
        other = Authority(url)
        is_alike = self._has_one_segment and other._has_one_segment and not (self.is_adfs or other.is_adfs)
        return other.tenant if is_alike and other.instance == self.instance else None


def authority_of(authority: str | AuthorityBuilder | None, oidc_authority: str | None) -> Authority:
    """The authority that an application's two parameters name; a falsy one means the default, as in MSAL."""
    if authority and oidc_authority:
        raise ValueError("give authority or oidc_authority, not both")
    if oidc_authority:
        return Authority(oidc_authority, is_issuer=True)
    return Authority(str(authority or _DEFAULT))


def authority_told(url: str) -> Authority:
    """The authority that the broker tells: any provider's, since it has been checked already."""
    return Authority(url, is_issuer=not _first_segment(urlsplit(url)))


def _has_safe_scheme(parts: SplitResult) -> bool:
    # The broker admits plain http for a provider under development, on loopback alone.
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _first_segment(parts: SplitResult) -> str:
    host = parts.hostname or ""
    segment = parts.path.lstrip("/").split("/")[0]
    # A customer tenant's host names the tenant, so its path may be empty.
    if not segment and host.endswith(_CIAM_SUFFIX):
        return host[: -len(_CIAM_SUFFIX)] + ".onmicrosoft.com"
    return segment
