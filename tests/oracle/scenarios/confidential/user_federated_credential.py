"""An agent's assertion for a user, named by object id or by user name."""

from oracle.provider import AUTHORITY, CLIENT_ID, entra, tokens

PROVIDER = [*entra(), tokens()]


def run_scenario(msal, step):
    app = step(msal.ConfidentialClientApplication, CLIENT_ID, authority=AUTHORITY, client_credential="SECRET")
    step(app.acquire_token_by_user_federated_identity_credential, ["api/.default"], "ASSERTION", user_object_id="OID", trace="user_fic by oid")
    step(app.acquire_token_by_user_federated_identity_credential, ["api/.default"], "ASSERTION", username="u@c.com", trace="user_fic by upn")
    step(app.acquire_token_by_user_federated_identity_credential, ["api/.default"], "ASSERTION")
