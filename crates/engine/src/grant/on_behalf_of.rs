//! On-behalf-of: a service asks for a token in the name of the user who called it.
//!
//! What one call brought is never given to another: the tokens are filed under the incoming token's digest, not under the
//! user (MSAL for Python files them under the user, and then never reads them). The refresh token is kept for a
//! long-running process alone, under the digest of its key.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use valetkey_cache::TokenEvent;
use valetkey_model::{AccountId, Secret};
use valetkey_oauth::{
    ApiId, CacheReason, OnBehalfOfGrant, build_on_behalf_of_request, decorate_scopes,
};

use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::{Error, SignInReason};
use crate::flight::Landed;
use crate::flight_key::FlightKey;
use crate::possession::Binding;
use crate::request::{AccountSelector, Grant, GrantRequest, SilentRequest};
use crate::user::User;

const GRANT_ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// No provider's account id begins like this: it is neither `uid.utid` nor a `sub` that one would choose.
const CALL: &str = "valetkey-obo-call:";
const PROCESS: &str = "valetkey-obo-process:";

impl Engine {
    pub(super) async fn acquire_token_on_behalf_of(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        let Grant::OnBehalfOf { user_assertion, session_key } = &request.grant else {
            return Err(Error::Bug("not an on-behalf-of request"));
        };
        let account = match (session_key, user_assertion) {
            (Some(key), _) => pseudo_account(PROCESS, key)?,
            (None, Some(assertion)) => pseudo_account(CALL, assertion)?,
            (None, None) => {
                let reason = "give it, or the session_key of a long-running process".to_owned();
                return Err(Error::BadValue { member: "user_assertion", reason });
            }
        };
        match self.acquire_for_account(user, &silent_part(request), account.clone()).await {
            Err(error) if is_for_the_assertion(&error) => match user_assertion {
                Some(assertion) => self.fly_on_behalf_of(user, request, account, assertion).await,
                None => Err(error),
            },
            outcome => outcome,
        }
    }

    async fn fly_on_behalf_of(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
        account: AccountId,
        assertion: &Secret,
    ) -> Result<TokenAnswer, Error> {
        let key = FlightKey::of_grant(request, Some(&account));
        let flight = || {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            let assertion = assertion.clone();
            async move {
                let outcome = this.redeem_assertion(&user, &request, &account, assertion).await;
                Landed { outcome, good_until: None }
            }
        };
        let landed = user.flights.join(key, self.now(), flight).await;
        landed.unwrap_or(Err(Error::Bug("an on-behalf-of request died")))
    }

    async fn redeem_assertion(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
        account: &AccountId,
        user_assertion: Secret,
    ) -> Result<TokenAnswer, Error> {
        let definition = request.app.definition();
        let provider = self.discover(user, &request.app).await?;
        let (api, reason) = (ApiId::OnBehalfOf, CacheReason::NotSilent);
        let call = self.call_of_grant(request, &provider, api, reason)?;
        let grant = OnBehalfOfGrant {
            user_assertion,
            scopes: decorate_scopes(&request.scopes, &definition.exclude_scopes)?,
            claims: request.extras.claims(definition, request.claims_challenge.as_deref())?,
        };
        let asking = build_on_behalf_of_request(&provider, &definition.client_id, &grant, &call)
            .with_extra_fields(&request.extras.fields);
        let binding = Binding::of(definition, &request.extras);
        let possession = self.possess(user, &request.app, binding).await?;
        let lease = self.lease(user).await?;
        let issue =
            self.ask_for_token(user, &request.app, &possession, &call, asking, &grant.scopes);
        let issue = lease.wait_for(issue).await?;
        let (now, extension) = (self.now(), request.extras.extension());
        let event = issue.event(definition, &provider, GRANT_ON_BEHALF_OF);
        let event = TokenEvent {
            extension: extension.as_deref(),
            create_account: false,
            filed_under: Some(account),
            refresh_token: event.refresh_token.filter(|_| is_process(account)),
            ..event
        };
        user.commit(&lease, |cache| cache.plan_token_response(&event, now)).await?;
        let signed_in = issue.account();
        Ok(issue.into_answer(signed_in, now))
    }
}

/// True for the owner of on-behalf-of tokens, which no provider knows.
pub(crate) fn is_pseudo_account(account: &AccountId) -> bool {
    is_process(account) || account.as_str().starts_with(CALL)
}

fn is_process(account: &AccountId) -> bool {
    account.as_str().starts_with(PROCESS)
}

fn pseudo_account(kind: &str, secret: &Secret) -> Result<AccountId, Error> {
    let digest = Sha256::digest(secret.expose());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    AccountId::new(&format!("{kind}{digest}")).map_err(|_| Error::Bug("a digest is no account id"))
}

/// Nothing that is cached helps, or the process's refresh token has died.
fn is_for_the_assertion(error: &Error) -> bool {
    matches!(error, Error::SignInNeeded(_)) || error.refusal().is_some()
}

fn silent_part(request: &GrantRequest) -> SilentRequest {
    SilentRequest {
        app: Arc::clone(&request.app),
        scopes: request.scopes.clone(),
        account: AccountSelector::Only,
        force_refresh: request.force_refresh,
        claims_challenge: request.claims_challenge.clone(),
        min_validity: 0,
        client_assertion: request.client_assertion.clone(),
        extras: request.extras.clone(),
        bound: request.bound.clone(),
        correlation_id: request.correlation_id.clone(),
    }
}

impl SignInReason {
    /// What to say when the account is none that a person could sign in.
    pub(crate) fn for_account(self, account: &AccountId) -> Self {
        if is_process(account) { Self::NoProcess } else { self }
    }
}
