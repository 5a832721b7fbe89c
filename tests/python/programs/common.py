"""What the programs share, as an application's own module would: settings, a cache file for MSAL, and a way to print."""

import atexit
import json
import os
import sys


def settings():
    with open(sys.argv[1]) as file:
        return json.load(file)


def persistent(cache):
    """MSAL's way of keeping tokens from one run to the next. A broker keeps them by itself, unless one goes on with it."""
    if not type(cache).__module__.startswith("msal.") and not settings().get("keeps_cache_file"):
        return None
    path = os.path.join(os.environ["HOME"], "msal-cache.json")
    if os.path.exists(path):
        with open(path) as file:
            cache.deserialize(file.read())
    atexit.register(lambda: save(cache, path) if cache.has_state_changed else None)
    return cache


def save(cache, path):
    with open(path, "w") as file:
        file.write(cache.serialize())


def use(result, endpoint):
    """Calls an API with the token, and shows what it answers; without a token, why there is none."""
    if "access_token" not in result:
        show(error=result.get("error"), error_description=result.get("error_description"))
        return
    # Only here: what never calls an API starts without this package.
    import requests

    answer = requests.get(endpoint, headers={"Authorization": "Bearer " + result["access_token"]})
    show(token_source=result["token_source"], answer=answer.json())


def show(**values):
    print(json.dumps(values), flush=True)
