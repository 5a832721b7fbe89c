"""Times how long MSAL with msal-extensions' file cache takes to store one token response.

``msal_save.py FILE``; prints, for a number of cached entries, rounds of [p50, p99] in seconds.
"""

import json
import sys
from time import perf_counter

from msal import SerializableTokenCache
from msal_extensions import FilePersistence, PersistedTokenCache

SAVES = {10: 9, 10_000: 3}


def main(path):
    told = {}
    for entries, saves in SAVES.items():
        persistence = FilePersistence(path)
        persistence.save(filled(entries))
        cache = PersistedTokenCache(persistence)
        cache.add(response("User.Read", 0))
        times = sorted(time_save(cache, number) for number in range(1, saves + 1))
        told[entries] = [(times[len(times) // 2], times[-1])]
    print(json.dumps(told))


def time_save(cache, number):
    event = response("User.Read", number)
    started = perf_counter()
    cache.add(event)
    return perf_counter() - started


def filled(entries):
    """The text of a cache with so many access tokens."""
    cache = SerializableTokenCache()
    cache.add(response("resource-0", 0))
    content = json.loads(cache.serialize())
    (key, token), = content["AccessToken"].items()
    for number in range(1, entries):
        target = token["target"].replace("resource-0", f"resource-{number}")
        content["AccessToken"][key.replace("resource-0", f"resource-{number}")] = {**token, "target": target}
    return json.dumps(content)


def response(scope, number):
    return {
        "client_id": "00001111-aaaa-2222-bbbb-3333cccc4444",
        "scope": [scope],
        "token_endpoint": "https://login.microsoftonline.com/contoso/oauth2/v2.0/token",
        "grant_type": "refresh_token",
        "params": {},
        "data": {},
        "response": {
            "access_token": f"{number:01500}",
            "refresh_token": f"{number:01000}",
            "client_info": "eyJ1aWQiOiJ1aWQiLCJ1dGlkIjoidXRpZCJ9",
            "expires_in": 3600,
            "scope": scope,
            "token_type": "Bearer",
        },
    }


main(sys.argv[1])
