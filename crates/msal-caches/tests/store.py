"""Keeps caches in the keyring as other libraries do. Usage: store.py <msal_extensions/libsecret.py> <signal file>.

By the code of msal-extensions itself, loaded as a file: the interpreter that has PyGObject is the system's, and has no MSAL.
"""

import base64
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

specification = importlib.util.spec_from_file_location("libsecret", sys.argv[1])
libsecret = importlib.util.module_from_spec(specification)
specification.loader.exec_module(libsecret)

IDENTITY = "Microsoft.Developer.IdentityService"


def cache(name):
    return json.dumps({"Account": {}, "kept by": name})


def store(name, schema, attributes, shape=str):
    assert libsecret.LibSecretAgent(schema, attributes).save(shape(cache(name)))


def as_base64(text):
    return base64.b64encode(text.encode()).decode()


signal = sys.argv[2]
Path(signal).touch()
store("msal-extensions", hashlib.sha256(signal.encode()).hexdigest(), {})
store("azure-identity for Python", "msal.cache", {"MsalClientID": IDENTITY})
store("azure-identity for .NET", "msal.cache", {"MsalClientID": IDENTITY, IDENTITY: "1.0.0.0"}, as_base64)
store("azure-identity for JavaScript", "org.freedesktop.Secret.Generic", {"service": IDENTITY, "account": "MSALCache"})
store("azure-cli", "my_schema_name", {"my_attr1": "foo", "my_attr2": "bar"})
store("a program of msal-node", "org.freedesktop.Secret.Generic", {"service": "mine", "account": "me"})
