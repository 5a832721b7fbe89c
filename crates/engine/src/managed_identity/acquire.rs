//! A managed identity's token: from the cache, else from the source on or next to the machine.

use std::sync::Arc;
use std::time::Duration;

use valetkey_cache::{AccessToken, TokenEvent};
use valetkey_oauth::{
    HttpRequest, HttpResponse, ManagedIdentityRequest, ManagedIdentitySource, TokenResponse,
    parse_retry_after, retry_after_attempt,
};
use valetkey_policy::Authorized;

use super::{ENVIRONMENT, REALM, ResourceTokenRequest};
use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::Error;
use crate::flight::Landed;
use crate::flight_key::FlightKey;
use crate::issue::Issue;
use crate::possession::Possession;
use crate::refresh::good_until;
use crate::silent::is_aging;
use crate::user::User;

const GRANT_CLIENT_CREDENTIALS: &str = "client_credentials";
/// A source that wants to be left alone for longer is not waited for: the caller is told instead.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Engine {
    /// A managed identity's token: cached, or fetched, for which N callers make one request. An aging token is the answer
    /// while it is renewed behind it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn acquire_token_for_managed_identity(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<ResourceTokenRequest>,
    ) -> Result<TokenAnswer, Error> {
        let request = authorized.request();
        if let Some(token) = self.resource_token_at_hand(user, request) {
            return Ok(TokenAnswer::Cached(token));
        }
        user.save_unsaved().await?;
        self.fly_for_resource(user, request).await
    }

    fn resource_token_at_hand(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &ResourceTokenRequest,
    ) -> Option<Arc<AccessToken>> {
        if request.must_be_new() {
            return None;
        }
        let token = request.find_token(&user.cache(), self.now())?;
        let key = FlightKey::of_resource(request);
        if is_aging(&token, self.now()) && user.refresh_ahead.may_start(&key, self.now()) {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            tokio::spawn(async move { this.fly_for_resource(&user, &request).await });
        }
        Some(token)
    }

    async fn fly_for_resource(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &ResourceTokenRequest,
    ) -> Result<TokenAnswer, Error> {
        let flight = || {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            async move {
                let outcome = this.renew_resource_token(&user, &request).await;
                let good_until = good_until(&outcome, request.must_be_new(), this.now());
                Landed { outcome, good_until }
            }
        };
        let landed = user.flights.join(FlightKey::of_resource(request), self.now(), flight).await;
        landed.unwrap_or(Err(Error::Bug("a request for a managed identity's token died")))
    }

    /// One flight. Another one may have brought the token meanwhile.
    async fn renew_resource_token(
        &self,
        user: &User,
        request: &ResourceTokenRequest,
    ) -> Result<TokenAnswer, Error> {
        let at_hand = request.find_token(&user.cache(), self.now());
        let must_be_new = request.must_be_new();
        match at_hand {
            Some(token) if !must_be_new && !is_aging(&token, self.now()) => {
                Ok(TokenAnswer::Cached(token))
            }
            Some(token) if !must_be_new => {
                let outcome = self.fetch_and_save(user, request, None).await;
                Ok(outcome.unwrap_or_else(|error| {
                    user.refresh_ahead.pause(FlightKey::of_resource(request), self.now());
                    tracing::info!(%error, correlation_id = %request.correlation_id, "renewal ahead of need failed");
                    TokenAnswer::Cached(token)
                }))
            }
            at_hand => self.fetch_and_save(user, request, at_hand).await,
        }
    }

    /// Asks the source, and saves what it gave before anyone is answered. No refresh token is at stake, so that waiting for
    /// the source holds up nobody who locks the store.
    async fn fetch_and_save(
        &self,
        user: &User,
        request: &ResourceTokenRequest,
        stale: Option<Arc<AccessToken>>,
    ) -> Result<TokenAnswer, Error> {
        self.check_room_to_go_on(user.partition(), 0)?;
        let response = self.fetch(user, request, stale).await?;
        let (now, client_id) = (self.now(), &request.app.definition.client_id);
        let event = TokenEvent {
            client_id: Some(client_id),
            grant_type: GRANT_CLIENT_CREDENTIALS,
            create_account: false,
            access_token: Some(&response.access_token),
            token_type: Some(&response.token_type),
            expires_in: Some(response.expires_in),
            refresh_in: response.refresh_in,
            ..TokenEvent::new(ENVIRONMENT, REALM, &response.scope)
        };
        let lease = self.lease(user).await?;
        user.commit(&lease, |cache| cache.plan_token_response(&event, now)).await?;
        Ok(Issue::read(response, &Possession::Bearer)?.into_answer(None, now))
    }

    async fn fetch(
        &self,
        user: &User,
        request: &ResourceTokenRequest,
        stale: Option<Arc<AccessToken>>,
    ) -> Result<TokenResponse, Error> {
        let definition = &request.app.definition;
        // A token that is only to be replaced is not called bad: the platform would end it for everybody.
        let refused = stale.filter(|_| request.claims_challenge.is_some());
        let asked = ManagedIdentityRequest {
            id: definition.id.clone(),
            resource: request.resource.clone(),
            correlation_id: request.correlation_id.clone(),
            token_to_refresh: refused.map(|token| token.secret.clone()),
            capabilities: definition.capabilities.clone(),
        };
        let source = &definition.source;
        let mut answer = self.ask_machine(user, request, source.build_request(&asked)?).await?;
        if let ManagedIdentitySource::AzureArc(arc) = source {
            let path = arc.key_file(&asked, &answer, self.now())?;
            let key = self.ports.machine.read_key_file(&path).await?;
            let keyed = arc.build_keyed_request(&asked, &key)?;
            answer = self.ask_machine(user, request, keyed).await?;
        }
        let mut token = source.parse_response(&asked, &answer, self.now())?;
        // Whatever the source, these are in what MSAL returns; and nobody signs in here, so that there is no ID token.
        token.id_token = None;
        token.fields.entry("resource").or_insert_with(|| request.resource.as_str().into());
        if let Some(seconds) = token.refresh_in {
            token.fields.entry("refresh_in").or_insert_with(|| seconds.into());
        }
        Ok(token)
    }

    /// The answer after as many attempts as the source is worth. One that asked to be left alone is left alone.
    async fn ask_machine(
        &self,
        user: &User,
        request: &ResourceTokenRequest,
        message: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        if let Some(repeated) = user.http_cache().find(None, &message, self.now()) {
            return Ok(repeated.into_answer());
        }
        let definition = &request.app.definition;
        for attempt in 1.. {
            let answer = self.ports.machine.send(message.clone(), definition.pin()).await?;
            let wait = retry_after_attempt(definition.source.kind(), attempt, answer.status);
            match wait.map(|usual| self.wait_after(&answer).unwrap_or(usual)) {
                Some(wait) if wait <= LONGEST_WAIT => self.ports.clock.sleep(wait).await,
                _ => {
                    let changes = user.http_cache().keep(None, &message, &answer, self.now());
                    user.save_answers(changes).await;
                    return Ok(answer);
                }
            }
        }
        Err(Error::Bug("a source was asked without end"))
    }

    fn wait_after(&self, answer: &HttpResponse) -> Option<Duration> {
        let seconds = parse_retry_after(&answer.headers, self.now())?;
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    }
}
