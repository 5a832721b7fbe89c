"""Applications that the configuration declares, with a credential that the program cannot read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SECRET = "s3cret-of-the-machine"


@pytest.mark.parametrize(("program", "is_admitted"), [(sys.executable, True), ("/bin/true", False)])
def test_a_service_uses_a_credential_that_it_never_has(world, program, is_admitted):
    provider = world.start_emulator("--client-secret", f"service={SECRET}")
    authority = provider.application_of("contoso.com")["authority"]
    write(world, "secret", SECRET)
    write(
        world,
        "valetkey/config.toml",
        f"""
        [apps.reports]
        kind = "confidential"
        client_id = "service"
        authority = "{authority}"
        validate_authority = false
        programs = ["{Path(program).resolve()}"]
        credential.secret.file = "{world.home.folder}/config/secret"
        """,
    )
    world.daemon.start()
    service = world.start("declared", {"scopes": ["https://vault.contoso.com/.default"]})
    if is_admitted:
        assert service.finish() == {"client_id": "service", "sources": ["identity_provider", "cache"]}
    else:
        complaint = service.fail()
        assert "access_denied" in complaint and "programs" in complaint
        assert provider.count("client_credentials") == (0, 0)


def write(world, name: str, text: str) -> None:
    path = world.home.folder / "config" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
