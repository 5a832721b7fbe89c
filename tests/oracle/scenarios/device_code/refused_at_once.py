"""The client may not use device codes: the error of the first request is the result."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply

ERROR = {"error": "unauthorized_client", "error_description": "AADSTS700016", "error_codes": [700016]}
PROVIDER = [*entra(), Rule("/devicecode", reply(ERROR, status=400))]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.initiate_device_flow, scopes=["User.Read"])
