"""Tokens from the valetkey broker, under the names and signatures of MSAL for Python.

``import valetkey as msal`` runs an application that was written for MSAL. This package validates arguments, speaks
HTTP over the broker's socket and opens a browser; it holds no token, refreshes nothing and retries nothing.
Start with :class:`PublicClientApplication`.
"""

from .application import ClientApplication, PublicClientApplication
from .exceptions import (
    BrokerError,
    BrokerUnreachableError,
    BrowserInteractionTimeoutError,
    IdTokenError,
    MsalError,
    MsalServiceError,
    ProviderUnreachableError,
)
from .prompt import Prompt
from .token_cache import SerializableTokenCache, TokenCache

__version__ = "0.1.0"

__all__ = [
    "BrokerError",
    "BrokerUnreachableError",
    "BrowserInteractionTimeoutError",
    "ClientApplication",
    "IdTokenError",
    "MsalError",
    "MsalServiceError",
    "Prompt",
    "ProviderUnreachableError",
    "PublicClientApplication",
    "SerializableTokenCache",
    "TokenCache",
    "__version__",
]
