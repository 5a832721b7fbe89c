"""An authority is an https URL with a path."""

from oracle.provider import CLIENT_ID

PROVIDER = []


def run_scenario(msal, step):
    for authority in ("http://login.microsoftonline.com/TENANT", "https://login.microsoftonline.com", "TENANT"):
        step(msal.PublicClientApplication, CLIENT_ID, authority=authority)
    step(msal.PublicClientApplication, CLIENT_ID, authority="https://a.example/b", oidc_authority="https://a.example/b")
