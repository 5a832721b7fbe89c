"""Managed identities: tokens of an Azure resource, whose credential the platform keeps.

The platform tells the application's process, by environment variables and files, what serves its identity. The broker
has another environment, so the look around is done here, and what was found crosses the socket.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections import UserDict
from collections.abc import Mapping
from typing import Any

from ._api import App
from ._arguments import without_none
from ._cloud_shell import is_in_cloud_shell
from ._definition import cache_of, warn_of_what_cannot_cross
from ._errors import refusal_of, unclassified
from ._transport import ApiError
from .token_cache import TokenCache

logger = logging.getLogger(__name__)

#: What :func:`get_managed_identity_source` finds.
APP_SERVICE = object()
AZURE_ARC = object()
CLOUD_SHELL = object()
MACHINE_LEARNING = object()
SERVICE_FABRIC = object()
DEFAULT_TO_VM = object()

_ARC_AGENT = "/opt/azcmagent/bin/himds"
_ARC_ENDPOINT = "http://localhost:40342/metadata/identity/oauth2/token"
_SHA1 = re.compile("[0-9a-fA-F]{40}")


class ManagedIdentityError(ValueError):
    """The identity cannot be used, or what serves it breaks its protocol."""


class ArcPlatformNotSupportedError(ManagedIdentityError):
    """Azure Arc connects servers with Linux and Windows alone."""


class ManagedIdentity(UserDict):  # type: ignore[type-arg]
    """Which identity: a dictionary that a JSON configuration can hold. Construct one of the subclasses."""

    ID_TYPE = "ManagedIdentityIdType"
    ID = "Id"
    CLIENT_ID = "ClientId"
    RESOURCE_ID = "ResourceId"
    OBJECT_ID = "ObjectId"
    SYSTEM_ASSIGNED = "SystemAssigned"

    def __init__(self, identifier: str | None = None, id_type: str | None = None) -> None:
        super().__init__({self.ID_TYPE: id_type, self.ID: identifier})


class SystemAssignedManagedIdentity(ManagedIdentity):
    """The resource's own; the same as ``{"ManagedIdentityIdType": "SystemAssigned", "Id": None}``."""

    def __init__(self) -> None:
        super().__init__(id_type=self.SYSTEM_ASSIGNED)


class UserAssignedManagedIdentity(ManagedIdentity):
    """One that was assigned to the resource, by one of three ids."""

    def __init__(
        self, *, client_id: str | None = None, resource_id: str | None = None, object_id: str | None = None
    ) -> None:
        given = {self.CLIENT_ID: client_id, self.RESOURCE_ID: resource_id, self.OBJECT_ID: object_id}
        ids = [(id_type, identifier) for id_type, identifier in given.items() if identifier]
        if len(ids) != 1:
            raise ManagedIdentityError("give one of client_id, resource_id and object_id")
        ((id_type, identifier),) = ids
        super().__init__(identifier, id_type)


def get_managed_identity_source() -> object:
    """What serves identities here, by the environment of this process.

    In Cloud Shell a person has signed in already: use ``PublicClientApplication`` there.
    """
    for source, is_there in (
        (SERVICE_FABRIC, _has("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT")),
        (APP_SERVICE, _has("IDENTITY_ENDPOINT", "IDENTITY_HEADER")),
        (MACHINE_LEARNING, _has("MSI_ENDPOINT", "MSI_SECRET")),
        (AZURE_ARC, _has("IDENTITY_ENDPOINT", "IMDS_ENDPOINT") or _has_arc_agent()),
        (CLOUD_SHELL, is_in_cloud_shell()),
    ):
        if is_there:
            return source
    return DEFAULT_TO_VM


class ManagedIdentityClient:
    """Tokens of one managed identity."""

    def __init__(
        self,
        managed_identity: Mapping[str, Any] | ManagedIdentity,
        *,
        http_client: Any,
        token_cache: TokenCache | None = None,
        http_cache: Any = None,
        client_capabilities: list[str] | None = None,
    ) -> None:
        self._id = _id_on_wire(managed_identity)
        warn_of_what_cannot_cross(http_client, http_cache)
        self._identity = managed_identity
        self._token_cache, self._private_cache = cache_of(token_cache)
        self._client_capabilities = client_capabilities
        self._app: App | None = None
        self._definition: dict[str, Any] | None = None

    def acquire_token_for_client(self, *, resource: str, claims_challenge: str | None = None) -> dict[str, Any]:
        """The identity's token for a resource, from the cache when it has one that is good."""
        app = self._app_here()
        request = without_none(grant="client_credentials", resource=resource, claims_challenge=claims_challenge or None)
        try:
            return app.acquire_token(request)
        except ApiError as error:
            return unclassified(_refusal_of(error))

    def _app_here(self) -> App:
        """The application for what serves the identity at this moment; the platform may change the variables."""
        source = _source_on_wire()
        id_on_wire = self._id
        if source["type"] == "service_fabric" and id_on_wire != "system_assigned":
            logger.debug("the cluster's configuration says which identity a service of Service Fabric has")
            id_on_wire = "system_assigned"
        definition = without_none(
            kind="managed_identity",
            client_id=self._identity.get(ManagedIdentity.ID) or "SYSTEM_ASSIGNED_MANAGED_IDENTITY",
            client_capabilities=self._client_capabilities or None,
            managed_identity={"id": id_on_wire, "source": source},
        )
        if self._app is None or definition != self._definition:
            self._app, self._definition = App(definition, private_cache=self._private_cache), definition
        return self._app


def _id_on_wire(identity: Mapping[str, Any]) -> str | dict[str, str]:
    names = {
        ManagedIdentity.CLIENT_ID: "client_id",
        ManagedIdentity.RESOURCE_ID: "resource_id",
        ManagedIdentity.OBJECT_ID: "object_id",
    }
    if isinstance(identity, (dict, ManagedIdentity)):
        id_type, identifier = identity.get(ManagedIdentity.ID_TYPE), identity.get(ManagedIdentity.ID)
        if id_type == ManagedIdentity.SYSTEM_ASSIGNED:
            return "system_assigned"
        if id_type in names and identifier:
            return {names[id_type]: identifier}
    raise ManagedIdentityError(
        f"managed_identity must be a SystemAssignedManagedIdentity or a UserAssignedManagedIdentity, not {identity!r}"
    )


def _source_on_wire() -> dict[str, Any]:
    source, variables = get_managed_identity_source(), os.environ
    if source is SERVICE_FABRIC:
        return {
            "type": "service_fabric",
            "endpoint": _https_endpoint(variables["IDENTITY_ENDPOINT"]),
            "header": variables["IDENTITY_HEADER"],
            "thumbprint": _thumbprint(variables["IDENTITY_SERVER_THUMBPRINT"]),
        }
    if source is APP_SERVICE:
        return {
            "type": "app_service",
            "endpoint": variables["IDENTITY_ENDPOINT"],
            "header": variables["IDENTITY_HEADER"],
        }
    if source is MACHINE_LEARNING:
        return without_none(
            type="machine_learning",
            endpoint=variables["MSI_ENDPOINT"],
            secret=variables["MSI_SECRET"],
            default_client_id=variables.get("DEFAULT_IDENTITY_CLIENT_ID") or None,
        )
    if source is AZURE_ARC:
        if sys.platform not in ("linux", "win32"):
            raise ArcPlatformNotSupportedError(f"Azure Arc does not connect servers with {sys.platform}")
        is_told = _has("IDENTITY_ENDPOINT", "IMDS_ENDPOINT")
        return {"type": "azure_arc", "endpoint": variables["IDENTITY_ENDPOINT"] if is_told else _ARC_ENDPOINT}
    return without_none(type="imds", endpoint=variables.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "").strip("/") or None)


def _has(*variables: str) -> bool:
    # An empty one counts as well, as in MSAL.
    return all(variable in os.environ for variable in variables)


def _has_arc_agent() -> bool:
    if sys.platform == "win32":
        agent = os.path.join(os.environ.get("PROGRAMFILES", ""), "AzureConnectedMachineAgent", "himds.exe")
        return os.path.exists(agent)
    return sys.platform == "linux" and os.path.exists(_ARC_AGENT)


def _https_endpoint(endpoint: str) -> str:
    if not endpoint.lower().startswith("https://"):
        raise ManagedIdentityError("IDENTITY_ENDPOINT of Service Fabric must be an https address")
    return endpoint


def _thumbprint(text: str) -> str:
    thumbprint = re.sub("[ \r\n\t:]", "", text)
    if not _SHA1.fullmatch(thumbprint):
        raise ManagedIdentityError("IDENTITY_SERVER_THUMBPRINT must be a SHA-1 in hex")
    return thumbprint


def _refusal_of(error: ApiError) -> dict[str, Any]:
    try:
        return refusal_of(error)
    except ValueError as misuse:
        raise ManagedIdentityError(str(misuse)) from None
