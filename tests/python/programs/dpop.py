"""Calls the provider's userinfo endpoint with a token that is bound to a key, which stays in the broker (RFC 9449)."""

import json
import urllib.error
import urllib.request

import msal
from common import settings, show

config = settings()
app = msal.PublicClientApplication(config["client_id"], dpop=True, **config["application"])


def call(url, token, proof=None, scheme="DPoP"):
    """Status, body and nonce of a request."""
    headers = {"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {})}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, json.loads(answer.read()), answer.headers.get("DPoP-Nonce")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("WWW-Authenticate", ""), error.headers.get("DPoP-Nonce")


def call_with_proof(url, token):
    """The first proof lacks the server's nonce, which the answer brings."""
    status, told, nonce = call(url, token, msal.sign_dpop_proof(app, token, "GET", url))
    if status == 401 and "use_dpop_nonce" in told:
        status, told, _ = call(url, token, msal.sign_dpop_proof(app, token, "GET", url, nonce))
    return status, told


def acquire():
    accounts = app.get_accounts()
    if accounts:
        return app.acquire_token_silent(config["scopes"], accounts[0], force_refresh=True)
    flow = app.initiate_device_flow(scopes=config["scopes"])
    show(user_code=flow["user_code"])
    return app.acquire_token_by_device_flow(flow)


result = acquire()
token, url = result["access_token"], config["userinfo"]
status, person = call_with_proof(url, token)
of_another_method = msal.sign_dpop_proof(app, token, "POST", url)
show(
    token_type=result["token_type"],
    access_token=token,
    status=status,
    subject=person["sub"] if status == 200 else person,
    without_proof=call(url, token)[0],
    as_bearer=call(url, token, scheme="Bearer")[0],
    with_anothers_proof=call(url, token, of_another_method)[0],
)
