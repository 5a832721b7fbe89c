//! An agent that acts as a user by a federated credential instead of a password: Entra's `user_fic`.

use valetkey_model::{ClientId, ScopeSet, Secret};

use super::{Grant, build_token_request};
use crate::{AnchorMailbox, Call, HttpRequest, ProviderMetadata};

/// Who the agent is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FederatedUser {
    /// By Entra's object id of the user.
    ObjectId(String),
    /// By sign-in name.
    Username(String),
}

/// A credential for a user, and what it is redeemed for.
#[derive(Clone, Debug)]
pub struct UserFederatedCredentialGrant {
    /// The assertion that stands for the user.
    pub assertion: Secret,
    /// Who it stands for.
    pub user: FederatedUser,
    /// The authority's tenant, where the user is looked for.
    pub tenant: String,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
}

/// The token request.
pub fn build_user_federated_credential_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &UserFederatedCredentialGrant,
    call: &Call,
) -> HttpRequest {
    let (user, anchor) = match &grant.user {
        FederatedUser::ObjectId(id) => {
            (("user_id", id.as_str()), AnchorMailbox::of_object_id(id, &grant.tenant))
        }
        FederatedUser::Username(name) => {
            (("username", name.as_str()), AnchorMailbox::of_username(name))
        }
    };
    let grant = Grant {
        grant_type: "user_fic",
        claims: grant.claims.as_deref(),
        fields: &[
            ("scope", grant.scopes.target()),
            ("user_federated_identity_credential", grant.assertion.expose()),
            user,
        ],
        anchor: Some(&anchor),
    };
    build_token_request(provider, client_id, &grant, call)
}
