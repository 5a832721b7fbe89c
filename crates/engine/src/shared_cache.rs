//! The cache that a user's programs share, as a whole: what another library cached comes in, and all of it goes out.
//!
//! Going out is the one way by which a refresh token of this cache leaves the daemon. That it is the person's own act is for
//! the daemon to see to, which knows what protects the store.

use std::sync::Arc;

use valetkey_cache::{Entry, Import, TokenCache};
use valetkey_policy::{Authorized, CacheSubject};
use zeroize::Zeroizing;

use crate::engine::Engine;
use crate::error::Error;
use crate::event::Happening;
use crate::user::User;

/// Entries of another library's cache, to be taken over.
#[derive(Clone)]
pub struct ImportCacheRequest {
    /// As they were read.
    pub entries: Vec<Entry>,
}

/// All that is in the cache.
#[derive(Clone)]
pub struct ExportCacheRequest;

impl CacheSubject for ImportCacheRequest {
    const HANDS_OUT: bool = false;
}

impl CacheSubject for ExportCacheRequest {
    const HANDS_OUT: bool = true;
}

impl Engine {
    /// Takes over what is newer than what is here. Whoever listens is told.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn import_cache(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: Authorized<ImportCacheRequest>,
    ) -> Result<Import, Error> {
        let entries = authorized.into_request().entries;
        let (this, user) = (Arc::clone(self), Arc::clone(user));
        // A task of its own: a caller who hangs up must not leave the disk and the memory differing.
        let task = tokio::spawn(async move {
            let mut import = Import::default();
            let plan = |cache: &TokenCache| {
                import = cache.plan_import(entries, this.now());
                std::mem::take(&mut import.changes)
            };
            let lease = this.lease(&user).await?;
            user.commit(&lease, plan).await?;
            user.events.tell_of_user(Happening::CacheImported, this.now(), None);
            Ok(import)
        });
        task.await.unwrap_or(Err(Error::Bug("an import died")))
    }

    /// MSAL's unified JSON of all that is there, refresh tokens and all. Whoever listens is told. It takes a while to write,
    /// and blocks nobody else.
    pub fn export_cache(
        &self,
        user: &User,
        _authorized: &Authorized<ExportCacheRequest>,
    ) -> Zeroizing<String> {
        user.events.tell_of_user(Happening::CacheExported, self.now(), None);
        let entries: Vec<_> = user.cache().entries().collect();
        TokenCache::msal_json_of(entries.into_iter())
    }
}
