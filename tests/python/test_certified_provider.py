"""valetkey at npm's ``oidc-provider``, which is certified and knows nothing of it."""

from __future__ import annotations

import base64
import hashlib
import json

from .conftest import World
from .providers import CertifiedProvider


def start(world: World, *flags: str, issuer: str = "issuer") -> CertifiedProvider:
    provider = world.start_certified_provider(*flags, issuer=issuer)
    world.daemon.start()
    return provider


def token_requests(provider: CertifiedProvider, grant_type: str) -> list[dict]:
    return [request for request in provider.requests("/token") if request["form"]["grant_type"] == grant_type]


def test_a_browser_sign_in_uses_pkce_and_a_loopback_redirect(world):
    provider = start(world)
    signed_in = world.run("interactive", provider.config(), **provider.browser("alice"))
    assert signed_in["username"] == "alice@example.test"
    [page] = provider.requests("/auth")
    assert page["query"]["code_challenge_method"] == "S256"
    assert page["query"]["redirect_uri"].startswith("http://localhost:")
    assert {"state", "nonce", "code_challenge"} <= page["query"].keys()
    [redemption] = token_requests(provider, "authorization_code")
    assert redemption["status"] == 200
    assert len(redemption["form"]["code_verifier"]) >= 43
    assert "client_secret" not in redemption["form"] and redemption.get("authorization") is None


def test_each_refresh_uses_the_token_of_the_one_before(world):
    provider = start(world)
    world.sign_in(provider)
    tokens = [world.run("silent", provider.config(force_refresh=True))["access_token"] for _ in range(3)]
    assert len(set(tokens)) == 3
    used = [request["form"]["refresh_token"] for request in token_requests(provider, "refresh_token")]
    assert len(set(used)) == 3
    assert provider.count("refresh_token") == (3, 0)


def test_a_rotated_token_whose_answer_was_lost_needs_a_sign_in_and_says_so(world):
    """The provider rotated, the connection broke: nobody has the new token, and the old one ends the family."""
    provider = start(world, "--at-ttl", "60")
    world.sign_in(provider)
    provider.control("POST", "/faults", drop="after", grant_type="refresh_token", count=10)
    program = world.start("silent", provider.config())
    program.fail()
    provider.control("DELETE", "/requests")
    assert world.run("silent", provider.config()) == {"access_token": None}
    world.sign_in(provider)
    assert world.run("silent", provider.config())["access_token"]


def test_a_sign_out_revokes_the_refresh_token_at_the_provider(world):
    provider = start(world)
    world.sign_in(provider)
    assert world.run("sign_out", provider.config()) == {"left": 0}
    [revocation] = provider.requests("/token/revocation")
    assert revocation["status"] == 200
    assert revocation["form"]["token_type_hint"] == "refresh_token"
    # Nothing of the sign-in is left there to revoke.
    assert provider.control("POST", "/revoke", token=revocation["form"]["token"]) == {"revoked": []}


def test_what_the_provider_revoked_needs_a_sign_in(world):
    provider = start(world, "--at-ttl", "60")
    world.sign_in(provider)
    provider.control("POST", "/revoke", user="alice")
    assert world.run("silent", provider.config()) == {"access_token": None}
    # The dead token was dropped: it is not tried again.
    assert world.run("silent", provider.config()) == {"access_token": None}
    assert provider.count("refresh_token") == (0, 1)


def test_another_client_id_has_its_own_sign_in(world):
    provider = start(world)
    other = provider.config("public-two")
    first = world.sign_in(provider)
    # The person is known to both, as in MSAL; the tokens are each one's own.
    assert world.run("accounts", other) == {"usernames": ["alice@example.test"]}
    assert world.run("silent", other) == {"access_token": None}
    second = world.sign_in(provider, client_id="public-two")
    assert first["access_token"] != second["access_token"]
    assert world.run("sign_out", other) == {"left": 0}
    [revocation] = provider.requests("/token/revocation")
    assert revocation["form"]["client_id"] == "public-two"


def test_two_issuers_on_one_host_are_strangers(world):
    provider = start(world)
    root = provider.config()
    with_path = {**root, "application": {"oidc_authority": provider.ready["tenant_issuer"]}}
    world.sign_in(provider)
    assert world.run("silent", with_path) == {"access_token": None}
    # Above all, the refresh token of the one was not shown to the other.
    assert provider.count("refresh_token") == (0, 0)


def test_a_token_that_is_bound_to_a_key_is_good_with_a_proof_alone(world):
    provider = start(world)
    userinfo = provider._call("GET", f"{provider.issuer}/.well-known/openid-configuration")["userinfo_endpoint"]
    # A scope of no API: oidc-provider's userinfo takes no token that is another resource's.
    config = {**provider.config(), "scopes": ["email"], "userinfo": userinfo}
    program = world.start("dpop", config)
    provider.approve(program.read()["user_code"], "alice")
    first = program.finish()
    refused = {"without_proof": 400, "as_bearer": 401, "with_anothers_proof": 401}
    expected = {"token_type": "DPoP", "status": 200, "subject": "alice", **refused}
    assert {name: first[name] for name in expected} == expected
    # The key outlives the daemon, and with it the refresh token that is bound to it.
    world.daemon.kill()
    world.daemon.start()
    second = world.run("dpop", config)
    assert {name: second[name] for name in expected} == expected
    assert first["access_token"] != second["access_token"]
    assert provider.count("refresh_token")[0] == 1
    # The same client without DPoP does not try what it could not redeem.
    asked = len(token_requests(provider, "refresh_token"))
    assert world.run("silent", provider.config(force_refresh=True)) == {"access_token": None}
    assert len(token_requests(provider, "refresh_token")) == asked


def test_each_proof_of_the_daemon_is_for_one_request_and_has_the_nonce(world):
    provider = start(world)
    config = provider.config(application={**provider.application, "dpop": True})
    signed_in = world.run("interactive", config, **provider.browser("alice"))
    assert signed_in["username"] == "alice@example.test"
    [page] = provider.requests("/auth")
    first, second = token_requests(provider, "authorization_code")
    assert (first["error"], second["status"]) == ("use_dpop_nonce", 200)
    proofs = [read_proof(request["dpop"]) for request in (first, second)]
    assert [sorted(claims) for _, claims in proofs] == [["htm", "htu", "iat", "jti"], ["htm", "htu", "iat", "jti", "nonce"]]
    assert proofs[0][1]["jti"] != proofs[1][1]["jti"]
    assert page["query"]["dpop_jkt"] == thumbprint_of(proofs[0][0]["jwk"])


def read_proof(proof: str) -> list[dict]:
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in proof.split(".")[:2]]


def thumbprint_of(jwk: dict) -> str:
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).decode().rstrip("=")
