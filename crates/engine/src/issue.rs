//! From a provider's answer to an answer of ours: checks, cache entries, and what the application gets.

use std::sync::Arc;

use serde_json::Value;
use valetkey_cache::{IdClaims, KeyId, TokenEvent};
use valetkey_model::{AccountId, AuthorityKind, ClientId, CorrelationId, ScopeSet, UnixTime};
use valetkey_oauth::{
    ApiId, CacheReason, Call, ClientAuthentication, CloudShellToken, HttpRequest, IdTokenClaims,
    IdTokenError, Nonce, ProviderMetadata, TokenResponse, TokenResponseError, decode_id_token,
    home_account_id, parse_token_response,
};

use crate::answer::{IssuedToken, TokenAnswer, TokenSource};
use crate::application::{ClientApplication, Definition};
use crate::engine::Engine;
use crate::error::Error;
use crate::event::Happening;
use crate::grant::on_behalf_of::is_pseudo_account;
use crate::lease::Lease;
use crate::possession::Possession;
use crate::request::Extras;
use crate::user::User;

/// MSAL's name for a sign-in with a code, as `account_source`.
pub(crate) const GRANT_AUTHORIZATION_CODE: &str = "authorization_code";
/// RFC 8628 section 3.4.
pub(crate) const GRANT_DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 6749 section 6.
pub(crate) const GRANT_REFRESH_TOKEN: &str = "refresh_token";

/// A provider's answer with its ID token read.
pub(crate) struct Issue {
    pub(crate) response: TokenResponse,
    claims: Option<IdTokenClaims>,
    possession: Possession,
    /// As the cache is told it.
    key_id: Option<KeyId>,
    source: TokenSource,
}

impl Issue {
    /// Checks that the token is what was asked for, and reads the ID token. One that cannot be read is an error: an account
    /// must not be made of it.
    pub(crate) fn read(response: TokenResponse, possession: &Possession) -> Result<Self, Error> {
        possession.check(&response.token_type)?;
        let claims = response.id_token.as_ref().map(decode_id_token).transpose()?;
        let source = TokenSource::Provider;
        let key_id = possession.key_id();
        Ok(Self { response, claims, possession: possession.clone(), key_id, source })
    }

    /// The same of what Cloud Shell gave.
    pub(crate) fn of_cloud_shell(
        told: CloudShellToken,
        possession: &Possession,
    ) -> Result<Self, Error> {
        let issue = Self::read(told.token, possession)?;
        Ok(Self { claims: Some(told.claims), source: TokenSource::CloudShell, ..issue })
    }

    /// Checks that the ID token answers this very sign-in. Providers other than Entra, whose tenants issue under many
    /// names, must also have issued it themselves and for this client (OIDC Core section 3.1.3.7).
    pub(crate) fn check_sign_in(
        &self,
        definition: &Definition,
        metadata: &ProviderMetadata,
        nonce: &Nonce,
        max_age: Option<u32>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(claims) = &self.claims else { return Ok(()) };
        claims.check_nonce(nonce)?;
        if let Some(max_age) = max_age {
            claims.check_max_age(max_age, now)?;
        }
        self.check_issuer(definition, metadata)
    }

    /// See [`Issue::check_sign_in`].
    pub(crate) fn check_issuer(
        &self,
        definition: &Definition,
        metadata: &ProviderMetadata,
    ) -> Result<(), Error> {
        match (&self.claims, &metadata.issuer) {
            (Some(claims), Some(issuer)) if definition.authority.kind() == AuthorityKind::Oidc => {
                Ok(claims.check_issuer_and_audience(issuer, &definition.client_id)?)
            }
            _ => Ok(()),
        }
    }

    /// Checks that a refresh brought no other person's token (OIDC Core section 12.2). An account has its name from
    /// `client_info`, or from the ID token's `sub` where its sign-in came without; an answer that has neither says nothing.
    /// Entra's `sub` is another one for each application, so that it speaks for an account, and not against it.
    pub(crate) fn check_refresh(
        &self,
        definition: &Definition,
        account: &AccountId,
    ) -> Result<(), Error> {
        let subject = self.claims.as_ref().and_then(IdTokenClaims::subject);
        let is_same = subject == Some(account.as_str());
        let is_other = match &self.response.client_info {
            Some(info) => !info.is_person_of(account),
            None => subject.is_some() && definition.authority.kind() == AuthorityKind::Oidc,
        };
        match is_other && !is_same && !is_pseudo_account(account) {
            true => Err(IdTokenError::ForeignSubject.into()),
            false => Ok(()),
        }
    }

    /// A claim of the ID token.
    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.as_ref()?.members().get(name)
    }

    /// The home account that the answer names.
    pub(crate) fn account(&self) -> Option<AccountId> {
        home_account_id(self.response.client_info.as_ref(), self.claims.as_ref())
    }

    /// What the cache is told.
    pub(crate) fn event<'a>(
        &'a self,
        definition: &'a Definition,
        metadata: &'a ProviderMetadata,
        grant_type: &'a str,
    ) -> TokenEvent<'a> {
        let response = &self.response;
        let member = |name: &str| {
            self.claims.as_ref().and_then(|claims| claims.members().get(name)?.as_str())
        };
        TokenEvent {
            client_id: Some(&definition.client_id),
            grant_type,
            key_id: self.key_id.as_ref(),
            binds_refresh_token: self.possession.binds_refresh_tokens_of(definition),
            access_token: Some(&response.access_token),
            token_type: Some(&response.token_type),
            expires_in: Some(response.expires_in),
            ext_expires_in: response.ext_expires_in,
            refresh_in: response.refresh_in,
            refresh_token: response.refresh_token.as_ref(),
            family_id: response.foci.as_deref(),
            id_token: response.id_token.as_ref(),
            id_claims: IdClaims {
                sub: member("sub"),
                oid: member("oid"),
                preferred_username: member("preferred_username"),
                upn: member("upn"),
            },
            client_info: response.fields.get("client_info").and_then(Value::as_str),
            ..TokenEvent::new(definition.authority.environment(), metadata.realm(), &response.scope)
        }
    }

    /// What the application gets: all but the refresh token.
    pub(crate) fn into_answer(self, account: Option<AccountId>, now: UnixTime) -> TokenAnswer {
        let response = self.response;
        TokenAnswer::Issued(Arc::new(IssuedToken {
            access_token: response.access_token,
            token_type: response.token_type,
            expires_on: now.plus_seconds(response.expires_in),
            refresh_on: response.refresh_in.map(|seconds| now.plus_seconds(seconds)),
            scopes: response.scope,
            id_token: response.id_token,
            id_token_claims: self.claims.map(|claims| claims.members().clone()),
            account,
            source: self.source,
            fields: response.fields,
        }))
    }
}

/// How a sign-in came about.
#[derive(Clone, Copy, Default)]
pub(crate) struct Origin<'a> {
    /// RFC 6749 `grant_type`.
    pub(crate) grant_type: &'a str,
    /// The user name that was asked for, for when the answer has none.
    pub(crate) username: Option<&'a str>,
    /// An authority type other than that which follows from the tenant.
    pub(crate) authority_type: Option<&'a str>,
    /// What was out of the ordinary.
    pub(crate) extras: Option<&'a Extras>,
}

impl<'a> Origin<'a> {
    /// A sign-in by this grant, with nothing else to say of it.
    pub(crate) fn of(grant_type: &'a str) -> Self {
        Self { grant_type, ..Self::default() }
    }
}

impl Engine {
    /// Sends a token request and reads the answer.
    pub(crate) async fn ask_for_token(
        &self,
        user: &User,
        app: &ClientApplication,
        possession: &Possession,
        call: &Call,
        request: HttpRequest,
        asked: &ScopeSet,
    ) -> Result<Issue, Error> {
        let answer = self.send_for_token(user, app, possession, request).await?;
        let outcome = parse_token_response(&answer, asked, self.now());
        record_outcome(app, call, &outcome);
        Issue::read(outcome?, possession)
    }

    /// Saves what a sign-in brought, and only then answers.
    pub(crate) async fn admit_sign_in(
        &self,
        user: &User,
        lease: &Lease,
        app: &ClientApplication,
        metadata: &ProviderMetadata,
        origin: Origin<'_>,
        issue: Issue,
    ) -> Result<TokenAnswer, Error> {
        let now = self.now();
        let extension = origin.extras.and_then(Extras::extension);
        let event = TokenEvent {
            extension: extension.as_deref(),
            username: origin.username,
            authority_type: origin.authority_type,
            ..issue.event(app.definition(), metadata, origin.grant_type)
        };
        user.commit(lease, |cache| cache.plan_token_response(&event, now)).await?;
        let account = issue.account();
        user.tell(Happening::SignedIn, now, app, account.as_ref(), &issue.response.scope);
        Ok(issue.into_answer(account, now))
    }

    /// What a request says about itself and about the calls before it.
    pub(crate) fn call(
        &self,
        app: &ClientApplication,
        api: ApiId,
        reason: CacheReason,
        correlation_id: &CorrelationId,
        authentication: ClientAuthentication,
    ) -> Call {
        Call {
            correlation_id: correlation_id.clone(),
            api,
            reason,
            last: app.with_telemetry(|log| log.header()),
            app_name: app.definition().app_name.clone(),
            app_version: app.definition().app_version.clone(),
            authentication,
        }
    }
}

/// Keeps what the next request will tell the provider about this one.
pub(crate) fn record_outcome(
    app: &ClientApplication,
    call: &Call,
    outcome: &Result<TokenResponse, TokenResponseError>,
) {
    app.with_telemetry(|log| match outcome {
        Ok(_) => log.clear(),
        Err(TokenResponseError::Refused(refusal)) => {
            log.record_failure(call.api, &call.correlation_id, &refusal.error);
        }
        Err(TokenResponseError::Unavailable { .. } | TokenResponseError::ServerMisbehaved(_)) => {}
    });
}

/// Whether two client ids are one; Entra's differ in case at times.
pub(crate) fn is_same_client(one: Option<&ClientId>, other: &ClientId) -> bool {
    one.is_some_and(|one| one.as_str().eq_ignore_ascii_case(other.as_str()))
}
