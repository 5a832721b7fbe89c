"""Too many sign-ins are being started: the 429 is the result, and counts for the next attempt as well."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply

PROVIDER = [*entra(), Rule("/devicecode", reply({"error": "temporarily_unavailable"}, status=429, headers={"Retry-After": "60"}))]


def run_scenario(msal, step):
    app = step(msal.PublicClientApplication, CLIENT_ID, authority=AUTHORITY)
    step(app.initiate_device_flow, scopes=["User.Read"])
    step(app.initiate_device_flow, scopes=["User.Read"])
