"""How scenarios come to have an account: a device code sign-in, which every module does without a browser."""

from __future__ import annotations

from .provider import AUTHORITY, CLIENT_ID, DEVICE_GRANT, Rule, device_code, tokens


def signs_in(**response) -> list[Rule]:
    """Rules for one sign-in; what it leaves in the cache is told by the arguments of ``tokens``."""
    return [device_code(), tokens(form={"grant_type": DEVICE_GRANT}, times=1, **response)]


def sign_in(msal, step, client_id: str = CLIENT_ID, **options):
    """Opens the application and signs in; returns it with the account."""
    app = step(msal.PublicClientApplication, client_id, **{"authority": AUTHORITY, **options})
    step(app.acquire_token_by_device_flow, step(app.initiate_device_flow, scopes=["User.Read"]))
    [account] = step(app.get_accounts)
    return app, account
