//! Removal: sign-out, an application's own tokens, a dead refresh token.

use valetkey_model::{AccountId, ClientId};

use crate::{Change, RefreshToken, TokenCache};

impl TokenCache {
    /// What goes when the account signs out of a client application at a provider, known by these hosts: its refresh
    /// tokens and those of its family, and of all applications the access tokens (extended ones too), ID tokens and
    /// accounts. Other applications' refresh tokens stay.
    pub fn plan_sign_out(
        &self,
        environments: &[&str],
        home_account_id: &AccountId,
        client_id: Option<&ClientId>,
    ) -> Vec<Change> {
        let _ = (environments, home_account_id, client_id);
        Vec::new()
    }

    /// What goes when an application drops all tokens of its own, of all tenants.
    pub fn plan_remove_app_tokens(
        &self,
        environments: &[&str],
        client_id: Option<&ClientId>,
    ) -> Vec<Change> {
        let _ = (environments, client_id);
        Vec::new()
    }

    /// What goes when the provider says that `used` is dead; nothing when it was replaced meanwhile.
    pub fn plan_forget_refresh_token(&self, used: &RefreshToken) -> Vec<Change> {
        let _ = used;
        Vec::new()
    }
}
