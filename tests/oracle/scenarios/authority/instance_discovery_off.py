"""A host that the application vouches for is asked directly, and no aliases are looked up."""

from oracle.provider import entra
from oracle.sign_in import sign_in, signs_in

ELSEWHERE = "login.private.example"
PROVIDER = [*entra(host=ELSEWHERE), *signs_in()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, authority=f"https://{ELSEWHERE}/TENANT", instance_discovery=False)
    step(app.remove_account, account)
    step(app.get_accounts)
    step(app.acquire_token_silent, ["User.Read"], account)
