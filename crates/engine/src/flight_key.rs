//! What makes two token requests one flight.

use valetkey_model::AccountId;
use valetkey_policy::Bound;

use crate::application::AppId;
use crate::managed_identity::ResourceTokenRequest;
use crate::possession::Binding;
use crate::request::{GrantRequest, SilentRequest};

/// What makes two requests the same flight. Whose it is goes without saying: each user has flights of their own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    app: AppId,
    /// None for the application's own token.
    account: Option<AccountId>,
    scopes: String,
    claims: Option<String>,
    /// What is out of the ordinary, see [`crate::request::Extras`].
    extension: Option<String>,
    binding: Binding,
    /// Who may be given any token at hand must not speak for who may not.
    bound: Option<Bound>,
    /// Who wants a new token must not be given what others were content with.
    force_refresh: bool,
}

impl FlightKey {
    /// The key of a silent request.
    pub(crate) fn of(request: &SilentRequest, account: &AccountId) -> Self {
        Self {
            app: request.app.id().clone(),
            account: Some(account.clone()),
            scopes: request.scopes.target().to_owned(),
            claims: request.claims_challenge.clone(),
            extension: request.extras.extension(),
            binding: Binding::of(request.app.definition(), &request.extras),
            bound: request.bound.clone(),
            force_refresh: request.force_refresh,
        }
    }

    /// The key of a grant whose answer is cached under `account`, or under none.
    pub(crate) fn of_grant(request: &GrantRequest, account: Option<&AccountId>) -> Self {
        Self {
            app: request.app.id().clone(),
            account: account.cloned(),
            scopes: request.scopes.target().to_owned(),
            claims: request.claims_challenge.clone(),
            extension: request.extras.extension(),
            binding: Binding::of(request.app.definition(), &request.extras),
            bound: request.bound.clone(),
            force_refresh: request.force_refresh,
        }
    }

    /// The key of a managed identity's token.
    pub(crate) fn of_resource(request: &ResourceTokenRequest) -> Self {
        Self {
            app: request.app.id().clone(),
            account: None,
            scopes: request.resource.clone(),
            claims: request.claims_challenge.clone(),
            extension: None,
            binding: Binding::Bearer,
            bound: None,
            force_refresh: request.force_refresh,
        }
    }
}
