//! Caches that a program keeps itself: what is in one is read and replaced as a whole.
//!
//! Its refresh tokens go to the program, and to nobody else: the program that opened such a cache is the only one that could
//! put them there, and the user's shared cache has no way out.

use std::sync::Arc;

use valetkey_cache::{Entry, TokenCache};
use valetkey_policy::Authorized;
use zeroize::Zeroizing;

use crate::engine::Engine;
use crate::error::Error;
use crate::request::CacheRequest;
use crate::user::User;

/// What is in a private cache.
pub struct CacheContent {
    /// How often it was changed.
    pub version: u64,
    /// MSAL's unified JSON.
    pub json: Zeroizing<String>,
}

impl Engine {
    /// The content of a private cache. It takes a while to write, and blocks nobody else.
    ///
    /// # Errors
    /// When the application has none.
    pub fn read_private_cache(
        &self,
        user: &User,
        _authorized: &Authorized<CacheRequest>,
    ) -> Result<CacheContent, Error> {
        check_private(user)?;
        let (version, entries) = {
            let cache = user.cache();
            (cache.version(), cache.entries().collect::<Vec<_>>())
        };
        Ok(CacheContent { version, json: TokenCache::msal_json_of(entries.into_iter()) })
    }

    /// Puts another content in the place of all that is there; its version.
    ///
    /// # Errors
    /// When the application has none, or it was locked away meanwhile.
    pub async fn replace_private_cache(
        &self,
        user: &Arc<User>,
        _authorized: &Authorized<CacheRequest>,
        entries: Vec<Entry>,
    ) -> Result<u64, Error> {
        check_private(user)?;
        let lease = self.lease(user).await?;
        user.commit(&lease, |cache| cache.plan_replacement(entries)).await?;
        Ok(user.cache().version())
    }
}

fn check_private(user: &User) -> Result<(), Error> {
    match user.partition().is_private() {
        true => Ok(()),
        false => Err(Error::CacheNotPrivate),
    }
}
