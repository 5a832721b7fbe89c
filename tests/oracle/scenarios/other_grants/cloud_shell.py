"""In Azure Cloud Shell the shell's user is an account, and the shell is asked for its tokens."""

import base64
import json
import os

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply

CLAIMS = {"oid": "UID", "tid": "UTID", "iss": "ISS", "sub": "SUB", "exp": 2, "iat": 1, "unique_name": "alice@contoso.example"}


def token(number: int) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "n": number}).encode()).decode().rstrip("=")
    return f"h.{payload}.s"


def gives(number: int, **form: str) -> Rule:
    told = {"access_token": token(number), "expires_in": "3599", "token_type": "Bearer", "resource": "R", "not_before": "1"}
    return Rule("/oauth2/token", reply(told), host=None, form=form, times=1)


REFUSED = {"error": {"code": "AudienceNotSupported", "message": "not in a shell"}}
GRAPH = {"resource": "https://graph.microsoft.com"}
PROVIDER = [
    *entra(), gives(1, resource="https://management.azure.com"), gives(2, resource="https://management.azure.com"), gives(3, **GRAPH),
    Rule("/oauth2/token", reply(REFUSED, status=400), form={"resource": "api"})]


def run_scenario(msal, step):
    os.environ["AZUREPS_HOST_ENVIRONMENT"] = "cloud-shell/1.0"
    # The recorder takes requests by proxy and directly: MSAL knows one address alone, which must not be looked for on this machine.
    os.environ["MSI_ENDPOINT"] = os.environ["HTTP_PROXY"] + "/oauth2/token"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ""
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    scopes = ["https://management.azure.com/.default"]
    step(app.acquire_token_interactive, scopes, prompt="none")
    [account] = step(app.get_accounts)
    step(app.acquire_token_silent, scopes, account)
    step(app.acquire_token_silent, scopes, account, force_refresh=True)
    step(app.acquire_token_silent_with_error, ["https://graph.microsoft.com/User.Read"], account, data={"session": "s"})
    step(app.acquire_token_silent_with_error, ["api/read"], account)
    step(app.acquire_token_interactive, ["api/read"], prompt="none")
    del os.environ["AZUREPS_HOST_ENVIRONMENT"]
    step(app.get_accounts)
