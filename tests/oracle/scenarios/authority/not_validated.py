"""validate_authority=False asks no third party either."""

from oracle.provider import entra
from oracle.sign_in import sign_in, signs_in

ELSEWHERE = "login.private.example"
PROVIDER = [*entra(host=ELSEWHERE), *signs_in()]


def run_scenario(msal, step):
    app, account = sign_in(msal, step, authority=f"https://{ELSEWHERE}/TENANT", validate_authority=False)
    step(app.acquire_token_silent, ["User.Read"], account)
