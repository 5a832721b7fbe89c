"""A public client has no secret."""

from oracle.provider import AUTHORITY, CLIENT_ID

PROVIDER = []


def run_scenario(msal, step):
    step(msal.PublicClientApplication, CLIENT_ID, client_credential="SECRET", authority=AUTHORITY)
