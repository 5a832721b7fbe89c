//! Grants that bring a user in and are always the provider's to judge: a password, another library's refresh token, a
//! federated credential, a code that the application got by itself.

use std::sync::Arc;

use serde_json::Value;
use valetkey_model::{ScopeSet, Secret};
use valetkey_oauth::{
    ApiId, AuthorizationCodeGrant, CacheReason, Call, FederatedUser, IdTokenError,
    ProviderMetadata, RefreshTokenGrant, UserFederatedCredentialGrant,
    build_authorization_code_request, build_refresh_token_request,
    build_user_federated_credential_request, decorate_scopes,
};

use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::Error;
use crate::issue::{GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, Issue, Origin};
use crate::possession::{Binding, Possession};
use crate::request::{Grant, GrantRequest};
use crate::user::User;

const GRANT_USER_FEDERATED_CREDENTIAL: &str = "user_fic";

/// What all of these requests are made of.
pub(super) struct Redemption<'a> {
    pub(super) user: &'a Arc<User>,
    pub(super) request: &'a GrantRequest,
    pub(super) provider: &'a ProviderMetadata,
    pub(super) possession: &'a Possession,
    /// Decorated.
    pub(super) scopes: ScopeSet,
    pub(super) claims: Option<String>,
}

impl Engine {
    pub(super) async fn redeem_grant(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        user.save_unsaved().await?;
        let definition = request.app.definition();
        let scopes = decorate_scopes(&request.scopes, &definition.exclude_scopes)?;
        let claims = request.extras.claims(definition, request.claims_challenge.as_deref())?;
        let provider = self.discover(user, &request.app).await?;
        let binding = Binding::of(definition, &request.extras);
        let possession = &self.possess(user, &request.app, binding).await?;
        let redemption =
            Redemption { user, request, provider: &provider, possession, scopes, claims };
        match &request.grant {
            Grant::Password { username, password } => {
                self.redeem_password(&redemption, username, password).await
            }
            Grant::RefreshToken(token) => self.migrate_refresh_token(&redemption, token).await,
            Grant::UserFederatedCredential { credential, user } => {
                self.redeem_federated_credential(&redemption, credential, user).await
            }
            Grant::AuthorizationCode { code, redirect_uri, nonce } => {
                let redirect_uri = redirect_uri.as_deref();
                self.redeem_foreign_code(&redemption, code, redirect_uri, nonce.as_deref()).await
            }
            Grant::ClientCredentials | Grant::OnBehalfOf { .. } | Grant::CloudShell => {
                Err(Error::Bug("this grant is not redeemed at the provider alone"))
            }
        }
    }

    pub(super) fn call_of(&self, redemption: &Redemption<'_>, api: ApiId) -> Result<Call, Error> {
        let reason = match api {
            ApiId::ByRefreshToken => CacheReason::ForceRefresh,
            _ => CacheReason::NotSilent,
        };
        self.call_of_grant(redemption.request, redemption.provider, api, reason)
    }

    /// Sends, judges who issued the answer, saves, and only then answers.
    pub(super) async fn redeem_and_admit(
        &self,
        redemption: &Redemption<'_>,
        call: &Call,
        asking: valetkey_oauth::HttpRequest,
        origin: Origin<'_>,
        prepare: impl FnOnce(Issue) -> Result<Issue, Error>,
    ) -> Result<TokenAnswer, Error> {
        let Redemption { user, request, provider, possession, scopes, .. } = redemption;
        let asking = asking.with_extra_fields(&request.extras.fields);
        let lease = self.lease(user).await?;
        let lease = match &request.grant {
            Grant::RefreshToken(_) => lease.redeeming(),
            _ => lease,
        };
        let issue = self.ask_for_token(user, &request.app, possession, call, asking, scopes);
        let issue = lease.wait_for(issue).await?;
        issue.check_issuer(request.app.definition(), provider)?;
        let origin = Origin { extras: Some(&request.extras), ..origin };
        self.admit_sign_in(user, &lease, &request.app, provider, origin, prepare(issue)?).await
    }

    /// Claims and routing hints stay out: the token is all that the other library knew.
    async fn migrate_refresh_token(
        &self,
        redemption: &Redemption<'_>,
        token: &Secret,
    ) -> Result<TokenAnswer, Error> {
        let call = self.call_of(redemption, ApiId::ByRefreshToken)?;
        let grant = RefreshTokenGrant {
            refresh_token: token.clone(),
            scopes: redemption.scopes.clone(),
            claims: None,
            account: None,
        };
        let client_id = &redemption.request.app.definition().client_id;
        let asking = build_refresh_token_request(redemption.provider, client_id, &grant, &call);
        let origin = Origin { grant_type: GRANT_REFRESH_TOKEN, ..Origin::default() };
        // A provider that does not rotate sends none back: then this one is to be kept.
        let keep = |mut issue: Issue| {
            issue.response.refresh_token.get_or_insert_with(|| token.clone());
            Ok(issue)
        };
        self.redeem_and_admit(redemption, &call, asking, origin, keep).await
    }

    async fn redeem_federated_credential(
        &self,
        redemption: &Redemption<'_>,
        credential: &Secret,
        user: &FederatedUser,
    ) -> Result<TokenAnswer, Error> {
        let definition = redemption.request.app.definition();
        let call = self.call_of(redemption, ApiId::UserFederatedCredential)?;
        let grant = UserFederatedCredentialGrant {
            assertion: credential.clone(),
            user: user.clone(),
            tenant: definition.authority.tenant(),
            scopes: redemption.scopes.clone(),
            claims: redemption.claims.clone(),
        };
        let asking = build_user_federated_credential_request(
            redemption.provider,
            &definition.client_id,
            &grant,
            &call,
        );
        let username = match user {
            FederatedUser::Username(name) => Some(name.as_str()),
            FederatedUser::ObjectId(_) => None,
        };
        let origin =
            Origin { grant_type: GRANT_USER_FEDERATED_CREDENTIAL, username, ..Origin::default() };
        self.redeem_and_admit(redemption, &call, asking, origin, Ok).await
    }

    async fn redeem_foreign_code(
        &self,
        redemption: &Redemption<'_>,
        code: &Secret,
        redirect_uri: Option<&str>,
        nonce: Option<&str>,
    ) -> Result<TokenAnswer, Error> {
        let call = self.call_of(redemption, ApiId::AuthCode)?;
        let grant = AuthorizationCodeGrant {
            code: code.clone(),
            redirect_uri: redirect_uri.map(str::to_owned),
            verifier: None,
            scopes: redemption.scopes.clone(),
            claims: redemption.claims.clone(),
            client_info: None,
        };
        let client_id = &redemption.request.app.definition().client_id;
        let asking =
            build_authorization_code_request(redemption.provider, client_id, &grant, &call);
        let origin = Origin { grant_type: GRANT_AUTHORIZATION_CODE, ..Origin::default() };
        let check = |issue: Issue| match nonce {
            Some(nonce) if issue.claim("nonce").and_then(Value::as_str) != Some(nonce) => {
                Err(IdTokenError::NonceMismatch.into())
            }
            _ => Ok(issue),
        };
        self.redeem_and_admit(redemption, &call, asking, origin, check).await
    }
}
