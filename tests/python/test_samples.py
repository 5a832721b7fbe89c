"""The calls of MSAL's own samples, in their order and with their arguments, by MSAL and by valetkey at the emulator.

The samples are in MSAL's repository and in no package of it; the programs under ``programs/samples`` are our own, and make the
same calls. What a sample prints from Microsoft Graph comes here from an API that answers with what the token says.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import World
from .providers import EntraEmulator
from .world import REPOSITORY

_APP = "a91a91a9-0000-4000-8000-00000000da7a"
_SECRET = "s3cret"
_APPS_SCOPES = ["https://vault.contoso.com/.default"]
_FIXTURES = REPOSITORY / "crates" / "oauth" / "src" / "credential" / "fixtures"
#: Of the certificate there.
_THUMBPRINT = "7A31625EC0A013A71D304EAC0319939A1272539E"

BOTH = pytest.mark.parametrize("module", ["valetkey", "msal"])


class _Api(BaseHTTPRequestHandler):
    """Answers with the claims of the token that it is called with."""

    def do_GET(self) -> None:
        payload = self.headers["Authorization"].removeprefix("Bearer ").split(".")[1]
        body = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def entra(world: World) -> EntraEmulator:
    # MSAL insists on TLS.
    emulator = world.start_emulator("--client-secret", f"{_APP}={_SECRET}", tls=True)
    world.daemon.start()
    return emulator


def check_user(shown: list[dict], user: str) -> None:
    """The first round asks the provider, the second the cache, and both tokens are the user's."""
    assert [line.get("token_source", line) for line in shown] == ["identity_provider", "cache"]
    assert {line["answer"]["preferred_username"] for line in shown} == {f"{user}@contoso.com"}
    assert shown[0]["answer"] == shown[1]["answer"]


def check_application(shown: list[dict], level: str) -> None:
    """As :func:`check_user`, for a token of the application's own; ``level`` is how it proved itself."""
    assert [line.get("token_source", line) for line in shown] == ["identity_provider", "cache"]
    claims = shown[0]["answer"]
    assert claims == shown[1]["answer"]
    assert (claims["azp"], claims["aud"], claims["idtyp"]) == (_APP, "https://vault.contoso.com", "app")
    assert claims["azpacr"] == level


@BOTH
def test_the_device_flow_sample_signs_in_once(world, entra, api, module):
    program = world.start("samples/device_flow", entra.config(endpoint=api), module)
    shown = program.read()
    assert shown["user_code"] in shown["message"]
    entra.approve(shown["user_code"], "alice")
    check_user(program.finish_all(), "alice")


@BOTH
def test_the_interactive_sample_signs_in_once(world, entra, api, module):
    config = entra.config(endpoint=api, username=entra.username("bob"))
    check_user(world.start("samples/interactive", config, module, **entra.browser("bob")).finish_all(), "bob")


def test_the_password_sample_signs_in_once(world, entra, api):
    # MSAL asks for the user's realm at port 443 whatever the authority's is: it cannot be run beside others.
    config = entra.config(
        application=entra.application_of("organizations"),
        endpoint=api, username=entra.username("alice"), password="Passw0rd!")
    check_user(world.start("samples/password", config).finish_all(), "alice")


def applications_config(entra: EntraEmulator, api: str, **credential: str) -> dict:
    return entra.config(
        client_id=_APP, endpoint=api, scopes=_APPS_SCOPES, application=entra.application_of("contoso.com"), **credential)


@BOTH
def test_the_secret_sample_asks_once(world, entra, api, module):
    config = applications_config(entra, api, secret=_SECRET)
    check_application(world.start("samples/secret", config, module).finish_all(), "1")
    assert entra.count("client_credentials") == (1, 0)


@BOTH
def test_the_secret_sample_tells_of_a_wrong_secret(world, entra, api, module):
    config = applications_config(entra, api, secret="another")
    shown = world.start("samples/secret", config, module).finish_all()
    assert [line["error"] for line in shown] == ["invalid_client", "invalid_client"]
    assert shown[0]["error_description"].startswith("AADSTS7000215")


@BOTH
def test_the_certificate_sample_asks_once(world, api, module):
    entra = world.start_emulator("--client-certificate", f"{_APP}={_FIXTURES / 'certificate.pem'}", tls=True)
    world.daemon.start()
    config = applications_config(
        entra, api, private_key_file=str(_FIXTURES / "key.pem"), thumbprint=_THUMBPRINT)
    check_application(world.start("samples/certificate", config, module).finish_all(), "2")


@BOTH
def test_the_assertion_sample_asks_once(world, entra, api, module):
    claims = {"iss": "https://ci.example", "sub": "job", "aud": "api://AzureADTokenExchange"}
    entra.control("POST", "/clients", id=_APP, federated_credentials=[{"issuer": claims["iss"], "subject": "job"}])
    signed = entra.control("POST", "/assertions", **claims)
    config = applications_config(entra, api, **signed)
    check_application(world.start("samples/assertion", config, module).finish_all(), "2")


@BOTH
def test_the_on_behalf_of_sample_acts_for_the_user_who_called(world, entra, api, module):
    called_with = world.sign_in(entra, module=module, scopes=[f"api://{_APP}/access"])["access_token"]
    config = {**applications_config(entra, api, secret=_SECRET), "scopes": ["User.Read"]}
    program = world.start("samples/on_behalf_of", config, module)
    program.tell(called_with)
    [shown] = program.finish_all()
    assert shown["token_source"] == "identity_provider"
    assert shown["answer"]["preferred_username"] == entra.username("alice")
    assert shown["answer"]["azp"] == _APP


@BOTH
def test_the_web_application_sample_redeems_its_code(world, entra, api, module):
    redirect_uri = "http://localhost:5000/getAToken"
    config = {**applications_config(entra, api, secret=_SECRET), "scopes": ["User.Read"], "redirect_uri": redirect_uri}
    program = world.start("samples/web_application", config, module)
    program.tell(json.dumps(entra.authorize(program.read()["page"], "alice")))
    [shown] = program.finish_all()
    assert shown["answer"]["preferred_username"] == entra.username("alice")


@BOTH
@pytest.mark.parametrize("identity", [None, {"ManagedIdentityIdType": "SystemAssigned", "Id": None}])
def test_the_managed_identity_sample_asks_once(world, entra, api, module, identity):
    environment = dict(entra.control("GET", "/machine")["environments"]["imds"])
    if identity:
        environment["MANAGED_IDENTITY"] = json.dumps(identity)
    config = {"resource": "https://vault.contoso.com", "endpoint": api}
    shown = world.start("samples/managed_identity", config, module, **environment).finish_all()
    assert [line.get("token_source", line) for line in shown] == ["identity_provider", "cache"]
    assert shown[0]["answer"] == shown[1]["answer"]
    assert shown[0]["answer"]["aud"] == "https://vault.contoso.com"
