//! A user's name and password (RFC 6749 section 4.3).

use valetkey_model::Secret;
use valetkey_oauth::{ApiId, PasswordGrant, build_password_request};

use super::redeem::Redemption;
use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::Error;
use crate::issue::Origin;

const GRANT_PASSWORD: &str = "password";

impl Engine {
    pub(super) async fn redeem_password(
        &self,
        redemption: &Redemption<'_>,
        username: &str,
        password: &Secret,
    ) -> Result<TokenAnswer, Error> {
        let call = self.call_of(redemption, ApiId::UsernamePassword)?;
        let grant = PasswordGrant {
            username: username.to_owned(),
            password: password.clone(),
            scopes: redemption.scopes.clone(),
            claims: redemption.claims.clone(),
        };
        let client_id = &redemption.request.app.definition().client_id;
        let asking = build_password_request(redemption.provider, client_id, &grant, &call);
        let origin = Origin { grant_type: GRANT_PASSWORD, username: Some(username), extras: None };
        self.redeem_and_admit(redemption, &call, asking, origin, Ok).await
    }
}
