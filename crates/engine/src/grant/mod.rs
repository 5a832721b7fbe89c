//! Tokens for what an application has in its hands. Client credentials and on-behalf-of look into the cache first; the
//! others bring somebody in, and always ask the provider.

mod client_credentials;
pub(crate) mod cloud_shell;
pub(crate) mod on_behalf_of;
mod password;
mod redeem;

use std::sync::Arc;

use valetkey_oauth::{ApiId, CacheReason, Call, ProviderMetadata};
use valetkey_policy::Authorized;

use crate::answer::TokenAnswer;
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::Error;
use crate::request::{Grant, GrantRequest};
use crate::user::User;

impl Engine {
    /// A token for what the application has in its hands.
    ///
    /// # Errors
    /// See [`Error`]; `ClientAssertionNeeded` when the program must make an assertion first.
    pub async fn acquire_token_by_grant(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<GrantRequest>,
    ) -> Result<TokenAnswer, Error> {
        let request = authorized.request();
        match &request.grant {
            Grant::ClientCredentials => self.acquire_token_for_client(user, request).await,
            Grant::OnBehalfOf { .. } => self.acquire_token_on_behalf_of(user, request).await,
            Grant::CloudShell => self.sign_in_at_cloud_shell(user, request).await,
            _ => {
                let (this, owner, redeemed) = (Arc::clone(self), Arc::clone(user), request.clone());
                // A task of its own: what is redeemed may be good for one use, and a caller who hangs up must not waste it.
                let task = tokio::spawn(async move { this.redeem_grant(&owner, &redeemed).await });
                let answer = task.await.unwrap_or(Err(Error::Bug("a redemption died")))?;
                let signed = request.extras.auth_scheme.as_ref();
                self.sign_request(user, &request.app, signed, answer)
            }
        }
    }

    /// What a grant's request says about itself.
    fn call_of_grant(
        &self,
        request: &GrantRequest,
        provider: &ProviderMetadata,
        api: ApiId,
        reason: CacheReason,
    ) -> Result<Call, Error> {
        let proof = Proof {
            assertion: request.client_assertion.as_ref(),
            fmi_path: request.extras.fmi_path.as_deref(),
        };
        let authentication = self.authenticate(&request.app, provider, proof)?;
        Ok(self.call(&request.app, api, reason, &request.correlation_id, authentication))
    }
}
