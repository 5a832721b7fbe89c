"""Tokens from the valetkey broker, under the names and signatures of MSAL for Python.

``import valetkey as msal`` runs an application that was written for MSAL. This package validates arguments, speaks
HTTP over the broker's socket and opens a browser; it holds no token, refreshes nothing and retries nothing. Start with
:class:`PublicClientApplication`, :class:`ConfidentialClientApplication` or :class:`ManagedIdentityClient`.
"""

from ._credential import AutoRefresher
from .application import ClientApplication, ConfidentialClientApplication, PublicClientApplication
from .auth_scheme import PopAuthScheme
from .dpop import sign_dpop_proof
from .exceptions import (
    BrokerError,
    BrokerUnreachableError,
    BrowserInteractionTimeoutError,
    IdTokenError,
    MsalError,
    MsalServiceError,
    ProviderUnreachableError,
)
from .managed_identity import (
    ArcPlatformNotSupportedError,
    ManagedIdentityClient,
    ManagedIdentityError,
    SystemAssignedManagedIdentity,
    UserAssignedManagedIdentity,
)
from .prompt import Prompt
from .token_cache import SerializableTokenCache, TokenCache

__version__ = "0.1.0"

__all__ = [
    "ArcPlatformNotSupportedError",
    "AutoRefresher",
    "BrokerError",
    "BrokerUnreachableError",
    "BrowserInteractionTimeoutError",
    "ClientApplication",
    "ConfidentialClientApplication",
    "IdTokenError",
    "ManagedIdentityClient",
    "ManagedIdentityError",
    "MsalError",
    "MsalServiceError",
    "PopAuthScheme",
    "Prompt",
    "ProviderUnreachableError",
    "PublicClientApplication",
    "SerializableTokenCache",
    "SystemAssignedManagedIdentity",
    "TokenCache",
    "UserAssignedManagedIdentity",
    "__version__",
    "sign_dpop_proof",
]
