"""Times a cached token through the Python SDK and a bare exchange, in turns; prints rounds of [p50, p99] in seconds.

``hit.py CLIENT AUTHORITY SCOPE [SOCKET REQUEST ANSWER ROUNDS CALLS]``; without the last five it makes one call.
"""

import json
import socket
import sys
from time import perf_counter

import valetkey


def main(client_id, authority, scope, *bare):
    app = valetkey.PublicClientApplication(client_id, authority=authority, validate_authority=False)
    account = app.get_accounts()[0]

    def sdk():
        if "access_token" not in app.acquire_token_silent([scope], account=account):
            raise SystemExit("there is no token")

    sdk()
    if not bare:
        return
    path, (request, answer, rounds, calls) = bare[0], map(int, bare[1:])
    exchange = connect(path, request, answer)
    exchange()
    told = {"bare": [], "sdk": []}
    for _ in range(rounds):
        told["bare"].append(time_calls(exchange, calls))
        told["sdk"].append(time_calls(sdk, calls))
    print(json.dumps(told))


def connect(path, request, answer):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    content = b"q" * request

    def exchange():
        peer.sendall(content)
        left = answer
        while left:
            left -= len(peer.recv(65536))

    return exchange


def time_calls(call, calls):
    times = []
    for _ in range(calls):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


main(*sys.argv[1:])
