"""valetkey at npm's ``oidc-provider``, which is certified and knows nothing of it."""

from __future__ import annotations

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
