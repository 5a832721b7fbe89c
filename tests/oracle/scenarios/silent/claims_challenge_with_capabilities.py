"""Capabilities replace an xms_cc of the challenge and join its other members."""

from oracle.provider import entra, refreshed
from oracle.sign_in import sign_in, signs_in

PROVIDER = [*entra(), *signs_in(), refreshed()]
CHALLENGE = '{"access_token": {"nbf": {"essential": true, "value": "1"}, "xms_cc": {"values": ["other"]}}, "id_token": {"sub": null}}'


def run_scenario(msal, step):
    app, account = sign_in(msal, step, client_capabilities=["CP1", "CP2"])
    step(app.acquire_token_silent_with_error, ["User.Read"], account, claims_challenge=CHALLENGE)
