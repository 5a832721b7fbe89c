//! The authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636): building the page's URL, judging the redirect,
//! redeeming the code. The interactive flow shares all of it and adds a listener.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_model::{Authority, AuthorityKind, ScopeSet, Secret, UnixTime};
use valetkey_oauth::{
    ApiId, AuthorizationCode, AuthorizationCodeGrant, AuthorizationRequest, CacheReason,
    ExpectedRedirect, ExtraFields, Nonce, PkceVerifier, ProviderMetadata, RedirectError, State,
    build_authorization_code_request, build_authorization_url, decorate_scopes, merge_claims,
    parse_authorization_response,
};

use super::{Invitation, Progress, SignIn, Visit};
use crate::answer::TokenAnswer;
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::Error;
use crate::issue::{GRANT_AUTHORIZATION_CODE, Origin};
use crate::possession::Possession;
use crate::request::{Extras, FlowKind, FlowRequest};
use crate::user::User;

/// How long an auth code flow of an application's own waits for its redirect, in seconds.
const AUTH_CODE_SECONDS: i64 = 3600;

/// What the redirect and the code will be checked against. It never leaves the daemon.
pub(crate) struct Expectation {
    verifier: PkceVerifier,
    nonce: Nonce,
    state: String,
    redirect_uri: Option<String>,
    max_age: Option<u32>,
    claims: Option<String>,
    requested: ScopeSet,
    metadata: Arc<ProviderMetadata>,
}

/// An auth code flow that waits for its redirect; the expectation is taken by the first one that fits.
pub(super) struct PendingCode(Mutex<Option<Expectation>>);

/// A code that passed the checks of its redirect.
pub(super) struct ReceivedCode {
    code: AuthorizationCode,
    expectation: Expectation,
    /// The answer to [`Error::ClientAssertionNeeded`].
    assertion: Option<Secret>,
    /// Form fields of the application's own.
    fields: ExtraFields,
}

/// What differs between the two flows that send a person to the authorization endpoint.
pub(super) struct VisitPlan {
    /// Without one the provider picks that which it has for this client.
    pub(super) redirect_uri: Option<String>,
    pub(super) state: Option<String>,
    pub(super) response_mode: Option<String>,
    pub(super) extra_scopes: ScopeSet,
    /// RFC 9449 section 10.
    pub(super) dpop_jkt: Option<String>,
}

impl Engine {
    pub(super) async fn start_auth_code(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &FlowRequest,
        possession: Possession,
    ) -> Result<Arc<SignIn>, Error> {
        let FlowKind::AuthCode { redirect_uri, state, response_mode } = &request.kind else {
            return Err(Error::Bug("not an auth code flow"));
        };
        let plan = VisitPlan {
            redirect_uri: redirect_uri.clone(),
            state: state.clone(),
            response_mode: response_mode.clone(),
            extra_scopes: ScopeSet::default(),
            dpop_jkt: possession.dpop_jkt().map(str::to_owned),
        };
        let metadata = self.discover(user, &request.app).await?;
        let (visit, scopes, expectation) = self.plan_visit(request, plan, metadata)?;
        let expires_at = self.now().plus_seconds(AUTH_CODE_SECONDS);
        let progress = Progress::AuthCode(PendingCode(Mutex::new(Some(expectation))));
        let invitation = Invitation::AuthCode(visit);
        let sign_in = SignIn::new(request, scopes, expires_at, invitation, progress, possession);
        let (this, running) = (Arc::clone(self), Arc::clone(&sign_in));
        tokio::spawn(async move { this.await_deadline(&running).await });
        Ok(sign_in)
    }

    async fn await_deadline(&self, sign_in: &SignIn) {
        let time_left = sign_in.expires_at.wait_from(self.now());
        tokio::select! {
            () = sign_in.ended() => {}
            () = self.ports.clock.sleep(time_left) => sign_in.end_if_too_late(self.now()),
        }
    }

    /// The page to open, the scopes it asks for, and what to expect back.
    pub(super) fn plan_visit(
        &self,
        request: &FlowRequest,
        plan: VisitPlan,
        metadata: Arc<ProviderMetadata>,
    ) -> Result<(Visit, ScopeSet, Expectation), Error> {
        let definition = request.app.definition();
        let scopes = decorate_scopes(&request.scopes, &definition.exclude_scopes)?;
        let claims = merge_claims(&definition.capabilities, request.claims_challenge.as_deref())?;
        let hints = &request.hints;
        let (max_age, requested) = (hints.max_age, request.scopes.clone());
        let expectation = Expectation {
            verifier: PkceVerifier::from_random(self.random()),
            nonce: Nonce::from_random(self.random()),
            state: plan
                .state
                .unwrap_or_else(|| State::from_random(self.random()).as_str().to_owned()),
            redirect_uri: plan.redirect_uri,
            max_age,
            claims: claims.clone(),
            requested,
            metadata,
        };
        let url = build_authorization_url(
            &expectation.metadata,
            &AuthorizationRequest {
                client_id: &definition.client_id,
                redirect_uri: expectation.redirect_uri.as_deref(),
                scopes: &scopes.union(&plan.extra_scopes),
                state: &expectation.state,
                nonce: &expectation.nonce,
                challenge: &expectation.verifier.challenge(),
                claims: claims.as_deref(),
                response_mode: plan.response_mode.as_deref(),
                prompt: hints.prompt.as_deref(),
                login_hint: hints.login_hint.as_deref(),
                domain_hint: hints.domain_hint.as_deref(),
                max_age: hints.max_age,
                dpop_jkt: plan.dpop_jkt.as_deref(),
                others: &hints.others,
            },
        );
        let visit = Visit {
            auth_uri: url.into(),
            redirect_uri: expectation.redirect_uri.clone(),
            state: expectation.state.clone(),
        };
        Ok((visit, scopes, expectation))
    }

    /// Redeems the code and ends the flow with what came of it.
    pub(super) async fn finish_code(
        &self,
        user: &User,
        sign_in: &SignIn,
        received: ReceivedCode,
        narrowed: Option<ScopeSet>,
    ) {
        let outcome = self.redeem_code(user, sign_in, received, narrowed).await;
        sign_in.finish(outcome);
    }

    pub(super) async fn redeem_code(
        &self,
        user: &User,
        sign_in: &SignIn,
        received: ReceivedCode,
        narrowed: Option<ScopeSet>,
    ) -> Result<TokenAnswer, Error> {
        let ReceivedCode { code, expectation, assertion, fields } = received;
        let possession = sign_in.possession.clone().with_fields(&fields)?;
        let app = &sign_in.app;
        let definition = app.definition();
        let scopes = match narrowed {
            Some(scopes) if !scopes.is_subset(&expectation.requested) => {
                let reason = format!("{:?} is no subset of the flow's scopes", scopes.target());
                return Err(Error::BadValue { member: "scopes", reason });
            }
            Some(scopes) => decorate_scopes(&scopes, &definition.exclude_scopes)?,
            None => sign_in.scopes.clone(),
        };
        let api =
            if sign_in.kind() == "interactive" { ApiId::Interactive } else { ApiId::AuthCode };
        let provider = &expectation.metadata;
        let proof = Proof { assertion: assertion.as_ref(), fmi_path: None };
        let authentication = self.authenticate(app, provider, proof)?;
        let call =
            self.call(app, api, CacheReason::NotSilent, &sign_in.correlation_id, authentication);
        let grant = AuthorizationCodeGrant {
            code: code.code,
            redirect_uri: expectation.redirect_uri,
            verifier: Some(expectation.verifier),
            scopes,
            claims: expectation.claims,
            client_info: code.client_info,
        };
        let redemption =
            build_authorization_code_request(provider, &definition.client_id, &grant, &call)
                .with_extra_fields(&fields);
        let lease = self.lease(user).await?;
        let issue = self.ask_for_token(user, app, &possession, &call, redemption, &grant.scopes);
        let issue = lease.wait_for(issue).await?;
        // Before anything is stored: an answer to somebody else's sign-in must leave no trace (MSAL checks afterwards).
        issue.check_sign_in(
            definition,
            provider,
            &expectation.nonce,
            expectation.max_age,
            self.now(),
        )?;
        let extras = Extras::of_fields(&fields);
        let origin = Origin { extras: Some(&extras), ..Origin::of(GRANT_AUTHORIZATION_CODE) };
        self.admit_sign_in(user, &lease, app, provider, origin, issue).await
    }
}

impl ReceivedCode {
    pub(super) fn with(self, assertion: Option<Secret>, fields: ExtraFields) -> Self {
        Self { assertion, fields, ..self }
    }
}

impl SignIn {
    /// Ends an auth code flow whose redirect did not come in time; a code that came is being redeemed. To be asked before
    /// each look, since a timer stands still while the computer sleeps.
    pub(super) fn end_if_too_late(&self, now: UnixTime) {
        let Progress::AuthCode(pending) = &self.progress else { return };
        if now >= self.expires_at && pending.lock().take().is_some() {
            self.finish(Err(Error::FlowTimedOut));
        }
    }
}

impl PendingCode {
    /// The provider that the redirect will come from, while the flow waits for it.
    pub(super) fn provider(&self) -> Option<Arc<ProviderMetadata>> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.as_ref().map(|expectation| Arc::clone(&expectation.metadata))
    }

    /// Judges a redirect. One whose `state` is not this flow's changes nothing; any other is this flow's only one.
    pub(super) fn take(
        &self,
        sign_in: &SignIn,
        parameters: &BTreeMap<String, String>,
        now: UnixTime,
    ) -> Result<ReceivedCode, Error> {
        sign_in.end_if_too_late(now);
        let mut pending = self.lock();
        let Some(expectation) = pending.take() else { return Err(Error::FlowClosed) };
        if !sign_in.status.borrow().is_pending() {
            return Err(Error::FlowClosed);
        }
        match expectation.judge(parameters) {
            Ok(code) => Ok(expectation.received(code)),
            Err(error @ (RedirectError::StateMismatch | RedirectError::StateMissing)) => {
                *pending = Some(expectation);
                Err(error.into())
            }
            Err(error) => {
                sign_in.finish(Err(error.clone().into()));
                Err(error.into())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Expectation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expectation {
    /// Reads the code out of a redirect that is this flow's own.
    pub(super) fn judge(
        &self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<AuthorizationCode, RedirectError> {
        let expected = ExpectedRedirect {
            state: &self.state,
            issuer: self.metadata.issuer.as_deref(),
            issuer_is_required: self.metadata.authorization_response_iss_parameter_supported,
        };
        parse_authorization_response(parameters, &expected)
    }

    pub(super) fn received(self, code: AuthorizationCode) -> ReceivedCode {
        let fields = ExtraFields::default();
        ReceivedCode { code, expectation: self, assertion: None, fields }
    }
}

/// MSAL asks for `form_post`, which keeps the code out of the browser's history. Entra's family is sure to offer it; of
/// others the metadata must say so, since OIDC Discovery's default is query and fragment.
pub(super) fn preferred_response_mode(
    authority: &Authority,
    metadata: &ProviderMetadata,
) -> Option<String> {
    let is_entra = !matches!(authority.kind(), AuthorityKind::Oidc | AuthorityKind::Dsts);
    (is_entra || metadata.supports_form_post()).then(|| "form_post".to_owned())
}
