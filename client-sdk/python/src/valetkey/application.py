"""Client applications, where applications of MSAL's look for them."""

from ._client import ClientApplication
from ._confidential import ConfidentialClientApplication
from ._credential import extract_certs
from ._public import PublicClientApplication

__all__ = ["ClientApplication", "ConfidentialClientApplication", "PublicClientApplication", "extract_certs"]
