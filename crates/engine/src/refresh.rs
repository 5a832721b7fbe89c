//! Silent tokens: from the cache, else by a refresh token; `silent.rs` decides, this does it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use valetkey_cache::{AccessToken, TokenCache, TokenEvent};
use valetkey_model::{AccountId, Secret, UnixTime};
use valetkey_oauth::{
    ApiId, CacheReason, Call, HttpResponse, ProviderMetadata, RefreshTokenGrant,
    build_refresh_token_request, decorate_scopes, parse_token_response,
};
use valetkey_policy::Authorized;

use crate::accounts::{FoundAccount, find_signed_in, is_signed_in, select_account};
use crate::answer::TokenAnswer;
use crate::application::ClientApplication;
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::{Error, SignInReason};
use crate::event::Happening;
use crate::flight::Landed;
use crate::flight_key::FlightKey;
use crate::grant::on_behalf_of::is_pseudo_account;
use crate::issue::{GRANT_REFRESH_TOKEN, Issue, record_outcome};
use crate::lease::Lease;
use crate::possession::{Binding, Possession};
use crate::request::{AccountSelector, SilentRequest};
use crate::silent::{Candidate, Decision, MANDATORY_SECONDS, RefreshPlan, decide};
use crate::user::User;

/// A request, and the account that it turned out to mean.
struct Errand<'a> {
    user: &'a User,
    request: &'a SilentRequest,
    account: &'a AccountId,
    provider: &'a Arc<ProviderMetadata>,
    possession: &'a Possession,
    reason: CacheReason,
}

impl Engine {
    /// A token without asking the person: cached, or refreshed, for which N callers make one request.
    ///
    /// # Errors
    /// See [`Error`]; `SignInNeeded` when only a person can help.
    pub async fn acquire_token_silent(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<SilentRequest>,
    ) -> Result<TokenAnswer, Error> {
        let request = authorized.request();
        let answer = match self.answer_at_once(user, request) {
            Some(answer) => answer,
            None => self.acquire_unhurriedly(user, request).await?,
        };
        self.sign_request(user, &request.app, request.extras.auth_scheme.as_ref(), answer)
    }

    /// The same request for the account that it turns out to mean, for those who decide by the account. Which of several is
    /// meant, it says of those alone that `may_be`.
    ///
    /// # Errors
    /// When there is none, or more than one and none was named.
    pub async fn resolve_account(
        &self,
        user: &User,
        request: SilentRequest,
        may_be: impl Fn(&FoundAccount) -> bool,
    ) -> Result<SilentRequest, Error> {
        let id = self.select_account(user, &request, may_be).await?;
        let account = find_signed_in(&user.cache(), &request.app, &id);
        let account = account.ok_or(Error::UnknownAccount(id.as_str().to_owned()))?;
        Ok(SilentRequest { account: AccountSelector::Found(account), ..request })
    }

    async fn select_account(
        &self,
        user: &User,
        request: &SilentRequest,
        may_be: impl Fn(&FoundAccount) -> bool,
    ) -> Result<AccountId, Error> {
        let selected = self.find_account(user, &request.app, &request.account, may_be).await;
        selected.inspect_err(|error| {
            if matches!(error, Error::SignInNeeded(_)) {
                self.tell_sign_in_needed(user, request, None);
            }
        })
    }

    async fn acquire_unhurriedly(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
    ) -> Result<TokenAnswer, Error> {
        user.save_unsaved().await?;
        check_request(request)?;
        let account = self.select_account(user, request, |_| true).await?;
        self.acquire_for_account(user, request, account).await
    }

    /// The same for an account that is known already.
    pub(crate) async fn acquire_for_account(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
        account: AccountId,
    ) -> Result<TokenAnswer, Error> {
        let provider = match self.known_metadata(user, &request.app) {
            Some(provider) => provider,
            None => self.discover(user, &request.app).await?,
        };
        let look = || decide(&user.cache(), request, provider.realm(), &account, self.now());
        let mut decision = look();
        if matches!(decision, Decision::SignIn(_)) && self.learn_aliases(user, &request.app).await {
            decision = look();
        }
        match decision {
            Decision::Fresh(token) => Ok(answer_from_cache(&request.app, token)),
            Decision::Aging(token, _) => Ok(self.refresh_behind(user, request, account, token)),
            Decision::Refresh(_) | Decision::AskCloudShell => {
                self.fly(user, request, account).await
            }
            Decision::SignIn(reason) => {
                self.tell_sign_in_needed(user, request, Some(&account));
                Err(Error::SignInNeeded(reason.for_account(&account)))
            }
        }
    }

    /// The answer that neither the provider nor the disk can hold up: a token at hand, fresh or aging.
    fn answer_at_once(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
    ) -> Option<TokenAnswer> {
        // Most tokens are good for a reserved scope, so that any would be found; `check_request` refuses it.
        if request.scopes.reserved_member().is_some() {
            return None;
        }
        let provider = self.known_metadata(user, &request.app)?;
        let cache = user.cache();
        let account = select_account(&cache, &request.app, &request.account, |_| true).ok()?;
        let decision = decide(&cache, request, provider.realm(), &account, self.now());
        drop(cache);
        match decision {
            Decision::Fresh(token) => Some(answer_from_cache(&request.app, token)),
            Decision::Aging(token, _) => Some(self.refresh_behind(user, request, account, token)),
            Decision::Refresh(_) | Decision::AskCloudShell | Decision::SignIn(_) => None,
        }
    }

    /// Answers with the token at hand and refreshes behind it.
    fn refresh_behind(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
        account: AccountId,
        token: Arc<AccessToken>,
    ) -> TokenAnswer {
        if user.refresh_ahead.may_start(&FlightKey::of(request, &account), self.now()) {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            tokio::spawn(async move {
                if let Err(error) = this.fly(&user, &request, account.clone()).await {
                    tracing::info!(%error, correlation_id = %request.correlation_id, "refresh ahead of need failed");
                    user.refresh_ahead.pause(FlightKey::of(&request, &account), this.now());
                }
            });
        }
        answer_from_cache(&request.app, token)
    }

    async fn fly(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
        account: AccountId,
    ) -> Result<TokenAnswer, Error> {
        let key = FlightKey::of(request, &account);
        let flight = || {
            let (this, user, request) = (Arc::clone(self), Arc::clone(user), request.clone());
            async move {
                let outcome = this.refresh(&user, &request, &account).await;
                let good_until = good_until(&outcome, is_asked_for_anew(&request), this.now());
                Landed { outcome, good_until }
            }
        };
        user.flights
            .join(key, self.now(), flight)
            .await
            .unwrap_or(Err(Error::Bug("a refresh died")))
    }

    /// One flight: plans with the refresh tokens as they are when its turn has come, and tries them one after another.
    async fn refresh(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
        account: &AccountId,
    ) -> Result<TokenAnswer, Error> {
        let provider = self.discover(user, &request.app).await?;
        let binding = Binding::of(request.app.definition(), &request.extras);
        let possession = self.possess(user, &request.app, binding).await?;
        let (_redemptions, decision) = self.plan_alone(user, request, account, &provider).await?;
        let (RefreshPlan { candidates, reason }, at_hand) = match decision {
            Decision::Fresh(token) => return Ok(TokenAnswer::Cached(token)),
            Decision::Refresh(plan) => (plan, None),
            Decision::Aging(token, plan) => (plan, Some(token)),
            Decision::AskCloudShell => {
                return self.ask_cloud_shell_again(user, request, account, &provider).await;
            }
            Decision::SignIn(reason) => {
                self.tell_sign_in_needed(user, request, Some(account));
                return Err(Error::SignInNeeded(reason.for_account(account)));
            }
        };
        let (provider, possession) = (&provider, &possession);
        let errand = Errand { user, request, account, provider, possession, reason };
        let outcome = self.redeem_first(&errand, &candidates).await;
        match (outcome, at_hand) {
            (Err(Error::SignInNeeded(SignInReason::NoAccount)), _) => {
                Err(Error::SignInNeeded(SignInReason::NoAccount))
            }
            // A fault on the way is no reason to withhold a token that is still good (MSAL does, after a 5xx).
            (Err(error), Some(token)) => {
                user.refresh_ahead.pause(FlightKey::of(request, account), self.now());
                tracing::info!(%error, correlation_id = %request.correlation_id, "refresh ahead of need failed");
                Ok(TokenAnswer::Cached(token))
            }
            (outcome, _) => outcome,
        }
    }

    /// Decides while nobody else redeems any of the refresh tokens in the plan, and holds them until the guards are dropped.
    /// Whoever held one before may have rotated it, or the disk may not have taken its successor yet: so it is planned anew
    /// until the plan needs no more than what is held.
    async fn plan_alone(
        &self,
        user: &User,
        request: &SilentRequest,
        account: &AccountId,
        provider: &ProviderMetadata,
    ) -> Result<(Vec<OwnedMutexGuard<()>>, Decision), Error> {
        let mut keys = BTreeSet::new();
        loop {
            let guards = user.redemptions.lock_all(&keys).await;
            user.save_unsaved().await?;
            let decision = decide(&user.cache(), request, provider.realm(), account, self.now());
            let needed = decision.redemption_keys();
            if needed.is_subset(&keys) {
                return Ok((guards, decision));
            }
            keys = needed;
        }
    }

    /// Redeems the candidates in turn. Reports the last failure that says something about this person's sign-in.
    async fn redeem_first(
        self: &Arc<Self>,
        errand: &Errand<'_>,
        candidates: &[Candidate],
    ) -> Result<TokenAnswer, Error> {
        let mut failure = Error::SignInNeeded(SignInReason::NoRefreshToken);
        let mut is_stranger_to_family = false;
        for candidate in candidates {
            if candidate.is_guess && is_stranger_to_family {
                continue;
            }
            let error = match self.redeem(errand, candidate).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Anything but the provider's "no" would meet the next candidate as well.
            let Some(refusal) = error.refusal() else { return Err(error) };
            is_stranger_to_family |= refusal.is_client_mismatch();
            if !candidate.is_guess {
                failure = error;
            }
        }
        self.tell_sign_in_needed(errand.user, errand.request, Some(errand.account));
        Err(failure)
    }

    /// Redeems one refresh token, and saves its successor before anyone is answered.
    async fn redeem(
        self: &Arc<Self>,
        errand: &Errand<'_>,
        candidate: &Candidate,
    ) -> Result<TokenAnswer, Error> {
        let Errand { user, request, account, provider, possession, reason } = *errand;
        let definition = request.app.definition();
        let proof = Proof { assertion: request.client_assertion.as_ref(), fmi_path: None };
        let authentication = self.authenticate(&request.app, provider, proof)?;
        let call =
            self.call(&request.app, ApiId::Silent, reason, &request.correlation_id, authentication);
        let grant = RefreshTokenGrant {
            refresh_token: candidate.token.secret.clone(),
            scopes: decorate_scopes(&request.scopes, &definition.exclude_scopes)?,
            claims: request.extras.claims(definition, request.claims_challenge.as_deref())?,
            account: Some(account.clone()).filter(|account| !is_pseudo_account(account)),
        };
        let redemption =
            build_refresh_token_request(provider, &definition.client_id, &grant, &call)
                .with_extra_fields(&request.extras.fields);
        self.check_room_to_go_on(user.partition(), 0)?;
        let lease = self.lease(user).await?.redeeming();
        let secret = &candidate.token.secret;
        let was_lost = user.note_presented(secret).await;
        let answer = self.send_for_token(user, &request.app, possession, redemption);
        let answer = lease.wait_for(answer);
        let outcome = self.admit_refresh(errand, candidate, &lease, &call, &grant, answer).await;
        if is_settled(&outcome, was_lost) {
            user.settle_presented(secret).await;
        }
        if !was_lost {
            return outcome;
        }
        outcome.map_err(Error::after_lost_answer)
    }

    /// Reads the answer to a refresh, and saves what came.
    async fn admit_refresh(
        self: &Arc<Self>,
        errand: &Errand<'_>,
        candidate: &Candidate,
        lease: &Lease,
        call: &Call,
        grant: &RefreshTokenGrant,
        answer: impl Future<Output = Result<HttpResponse, Error>>,
    ) -> Result<TokenAnswer, Error> {
        let Errand { user, request, account, provider, possession, .. } = *errand;
        let definition = request.app.definition();
        let outcome = parse_token_response(&answer.await?, &grant.scopes, self.now());
        record_outcome(&request.app, call, &outcome);
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                let error = Error::from(error);
                self.forget_if_dead(user, lease, candidate, &error).await?;
                return Err(error);
            }
        };
        let issue = Issue::read(response, possession)?;
        issue.check_refresh(definition, account)?;
        let now = self.now();
        let extension = request.extras.extension();
        let event = TokenEvent {
            asked: Some(&request.scopes),
            extension: extension.as_deref(),
            ..issue.event(definition, provider, GRANT_REFRESH_TOKEN)
        };
        let mut is_overtaken = false;
        let plan = |cache: &TokenCache| {
            let changes = cache.plan_refresh(&candidate.token, &event, now);
            is_overtaken = changes.is_empty() && !is_signed_in(cache, &request.app, account);
            changes
        };
        let saved = user.commit(lease, plan).await;
        if is_overtaken {
            self.give_back(errand, issue.response.refresh_token);
            return Err(Error::SignInNeeded(SignInReason::NoAccount));
        }
        saved?;
        user.tell(Happening::Refreshed, now, &request.app, Some(account), &request.scopes);
        Ok(issue.into_answer(Some(account.clone()), now))
    }

    /// A sign-out overtook the refresh: what came of it belongs to nobody, and the successor, of which the sign-out knew
    /// nothing, is given back behind the answer.
    fn give_back(self: &Arc<Self>, errand: &Errand<'_>, successor: Option<Secret>) {
        let Some(successor) = successor else { return };
        let (this, provider) = (Arc::clone(self), Arc::clone(errand.provider));
        let SilentRequest { app, correlation_id, .. } = errand.request.clone();
        tokio::spawn(async move {
            this.revoke_refresh_token(&provider, &app, &correlation_id, &successor).await;
        });
    }

    /// A dead refresh token is dropped instead of being tried for ever; one that was only refused for now stays.
    async fn forget_if_dead(
        &self,
        user: &User,
        lease: &Lease,
        candidate: &Candidate,
        error: &Error,
    ) -> Result<(), Error> {
        let is_dead = error.refusal().is_some_and(|refusal| refusal.is_dead_refresh_token());
        if is_dead && !candidate.is_guess {
            user.commit(lease, |cache| cache.plan_forget_refresh_token(&candidate.token)).await?;
        }
        Ok(())
    }

    fn tell_sign_in_needed(
        &self,
        user: &User,
        request: &SilentRequest,
        account: Option<&AccountId>,
    ) {
        if account.is_some_and(is_pseudo_account) {
            return;
        }
        user.tell(Happening::SignInNeeded, self.now(), &request.app, account, &request.scopes);
    }
}

pub(crate) fn answer_from_cache(app: &ClientApplication, token: Arc<AccessToken>) -> TokenAnswer {
    app.with_telemetry(|log| log.record_hit());
    TokenAnswer::Cached(token)
}

/// Refuses what no provider needs to be asked about.
fn check_request(request: &SilentRequest) -> Result<(), Error> {
    let definition = request.app.definition();
    decorate_scopes(&request.scopes, &definition.exclude_scopes)?;
    request.extras.claims(definition, request.claims_challenge.as_deref())?;
    Ok(())
}

/// A provider whose tokens are so short-lived that a new one counts as expired at once would see a request for every
/// caller: within half of such a token's life its flight answers those who come later, too.
pub(crate) fn good_until(
    outcome: &Result<TokenAnswer, Error>,
    is_asked_for_anew: bool,
    now: UnixTime,
) -> Option<UnixTime> {
    let Ok(TokenAnswer::Issued(token)) = outcome else { return None };
    let left = token.expires_on.seconds_since(now);
    (left < MANDATORY_SECONDS && !is_asked_for_anew).then(|| now.plus_seconds(left / 2))
}

/// Whether no answer to this refresh token is missing any more.
fn is_settled(outcome: &Result<TokenAnswer, Error>, was_lost: bool) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => error.refusal().is_some() || !(was_lost || error.may_lose_an_answer()),
    }
}

fn is_asked_for_anew(request: &SilentRequest) -> bool {
    request.force_refresh || request.claims_challenge.is_some()
}
