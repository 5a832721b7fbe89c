"""A regional token service; the machine's own region is asked for, and does not answer."""

from oracle.provider import AUTHORITY, CLIENT_ID, Rule, entra, reply, tokens

PROVIDER = [
    *entra(), *entra(host="westus2.login.microsoft.com"), Rule("/metadata/instance/compute", reply({}, status=404), method="GET"),
    tokens(user=None, refresh_token=None, scope="api/.default")]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET", azure_region="westus2")
    step(app.acquire_token_for_client, ["api/.default"], trace="client credentials region westus2")
