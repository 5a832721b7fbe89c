//! The tokens that are an application's own, not a user's.

use std::sync::Arc;

use valetkey_cache::TokenCache;
use valetkey_policy::Authorized;

use crate::aliases::hosts_of;
use crate::application::ClientType;
use crate::engine::Engine;
use crate::error::Error;
use crate::request::AppTokensRequest;
use crate::user::User;

impl Engine {
    /// Forgets the application's own access tokens, of all tenants and under every name of its provider.
    ///
    /// # Errors
    /// When the application is no confidential one, or the removal cannot be saved.
    pub async fn remove_app_tokens(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<AppTokensRequest>,
    ) -> Result<(), Error> {
        let app = Arc::clone(&authorized.request().app);
        if app.definition().client_type != ClientType::Confidential {
            return Err(Error::NoOwnTokens);
        }
        let (this, user) = (Arc::clone(self), Arc::clone(user));
        // A task of its own: a caller who hangs up must not leave the disk and the memory differing.
        let task = tokio::spawn(async move {
            let definition = app.definition();
            // Those that nobody can tell are left out: what is there under them, nobody can ask for either.
            this.learn_aliases(&user, &app).await;
            let hosts: Vec<_> = hosts_of(&app).collect();
            let plan = |cache: &TokenCache| {
                cache.plan_remove_app_tokens(&hosts, Some(&definition.client_id))
            };
            let lease = this.lease(&user).await?;
            user.commit(&lease, plan).await.map(drop)
        });
        task.await.unwrap_or(Err(Error::Bug("a removal died")))
    }
}
