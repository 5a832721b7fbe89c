//! An application's own token: from the cache, else for its credential (RFC 6749 section 4.4).

use std::sync::Arc;

use valetkey_cache::{AccessToken, TokenEvent};
use valetkey_oauth::{
    ApiId, CacheReason, ClientCredentialsGrant, ProviderMetadata, build_client_credentials_request,
};

use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::Error;
use crate::flight::Landed;
use crate::flight_key::FlightKey;
use crate::possession::Binding;
use crate::refresh::{answer_from_cache, good_until};
use crate::request::GrantRequest;
use crate::silent::{Wanted, find_access_token};
use crate::user::User;

const GRANT_CLIENT_CREDENTIALS: &str = "client_credentials";

impl Engine {
    pub(super) async fn acquire_token_for_client(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        if let Some(answer) = self.app_token_at_hand(user, request) {
            return Ok(answer);
        }
        user.save_unsaved().await?;
        request.extras.claims(request.app.definition(), request.claims_challenge.as_deref())?;
        self.fly_for_client(user, request).await
    }

    /// The answer that needs no provider: a token at hand, fresh or aging. An aging one is renewed behind it.
    fn app_token_at_hand(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Option<TokenAnswer> {
        let provider = self.known_metadata(user, &request.app)?;
        let (token, reason) = self.find_app_token(user, request, &provider);
        let token = token?;
        let key = FlightKey::of_grant(request, None);
        if reason.is_some() && user.refresh_ahead.may_start(&key, self.now()) {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            tokio::spawn(async move {
                if let Err(error) = this.fly_for_client(&user, &request).await {
                    tracing::info!(%error, correlation_id = %request.correlation_id, "renewal ahead of need failed");
                    user.refresh_ahead.pause(key, this.now());
                }
            });
        }
        Some(answer_from_cache(&request.app, token))
    }

    fn find_app_token(
        &self,
        user: &User,
        request: &GrantRequest,
        provider: &ProviderMetadata,
    ) -> (Option<Arc<AccessToken>>, Option<CacheReason>) {
        let wanted = Wanted {
            app: &request.app,
            account: None,
            scopes: &request.scopes,
            extension: request.extras.extension(),
            binding: Binding::of(request.app.definition(), &request.extras),
            must_be_new: request.must_be_new(),
            min_validity: 0,
            bound: request.bound.as_ref(),
        };
        find_access_token(&user.cache(), &wanted, provider.realm(), self.now())
    }

    async fn fly_for_client(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        let flight = || {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            async move {
                let outcome = this.renew_app_token(&user, &request).await;
                let good_until = good_until(&outcome, request.must_be_new(), this.now());
                Landed { outcome, good_until }
            }
        };
        let key = FlightKey::of_grant(request, None);
        let landed = user.flights.join(key, self.now(), flight).await;
        landed.unwrap_or(Err(Error::Bug("a request for an application's token died")))
    }

    /// One flight. Another one may have brought the token while the provider was being discovered.
    async fn renew_app_token(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        let provider = self.discover(user, &request.app).await?;
        let (at_hand, reason) = self.find_app_token(user, request, &provider);
        let reason = match (&at_hand, reason) {
            (Some(token), None) => return Ok(answer_from_cache(&request.app, Arc::clone(token))),
            (_, reason) => reason.unwrap_or(CacheReason::NoToken),
        };
        let outcome = self.ask_for_app_token(user, request, &provider, reason).await;
        match (outcome, at_hand) {
            (Err(error), Some(token)) => {
                user.refresh_ahead.pause(FlightKey::of_grant(request, None), self.now());
                tracing::info!(%error, correlation_id = %request.correlation_id, "renewal ahead of need failed");
                Ok(answer_from_cache(&request.app, token))
            }
            (outcome, _) => outcome,
        }
    }

    async fn ask_for_app_token(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
        provider: &ProviderMetadata,
        reason: CacheReason,
    ) -> Result<TokenAnswer, Error> {
        let definition = request.app.definition();
        let call = self.call_of_grant(request, provider, ApiId::Client, reason)?;
        let grant = ClientCredentialsGrant {
            scopes: request.scopes.clone(),
            claims: request.extras.claims(definition, request.claims_challenge.as_deref())?,
            fmi_path: request.extras.fmi_path.clone(),
        };
        let mut asking =
            build_client_credentials_request(provider, &definition.client_id, &grant, &call)
                .with_extra_fields(&request.extras.fields);
        // The assertion's audience stays the central endpoint.
        if let Some(region) = self.region_of(definition).await {
            asking.url = region.move_url(&asking.url);
        }
        let binding = Binding::of(definition, &request.extras);
        let possession = self.possess(user, &request.app, binding).await?;
        let lease = self.lease(user).await?;
        let issue =
            self.ask_for_token(user, &request.app, &possession, &call, asking, &grant.scopes);
        let issue = lease.wait_for(issue).await?;
        let (now, extension) = (self.now(), request.extras.extension());
        let event = TokenEvent {
            extension: extension.as_deref(),
            // No user: whatever an answer says of one, the token is the application's own.
            create_account: false,
            client_info: None,
            id_token: None,
            refresh_token: None,
            id_claims: valetkey_cache::IdClaims::default(),
            ..issue.event(definition, provider, GRANT_CLIENT_CREDENTIALS)
        };
        user.commit(&lease, |cache| cache.plan_token_response(&event, now)).await?;
        Ok(issue.into_answer(None, now))
    }
}

impl GrantRequest {
    pub(super) fn must_be_new(&self) -> bool {
        self.force_refresh || self.claims_challenge.is_some()
    }
}
