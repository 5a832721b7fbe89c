//! Caches that a program keeps itself, as a whole.

use std::sync::Arc;

use tokio::runtime::Handle;
use valetkey_cache::Entry;
use valetkey_engine::CacheRequest;
use valetkey_proto::v1;

use super::shared_cache::off_the_runtime;
use super::{Broker, Opened};
use crate::failure::Failure;
use crate::session::Session;
use crate::{from_wire, to_wire};

impl Broker {
    /// What is in the application's private cache.
    ///
    /// # Errors
    /// When it has none.
    pub async fn read_cache(
        &self,
        session: &Session,
        Opened { user, app }: Opened,
    ) -> Result<v1::Cache, Failure> {
        let authorized = self.decide(session, CacheRequest { app }).await?;
        let engine = Arc::clone(&self.engine);
        let write = move || to_wire::cache(&engine.read_private_cache(&user, &authorized)?);
        off_the_runtime(write).await
    }

    /// Replaces what is in the application's private cache; its version.
    ///
    /// # Errors
    /// When it has none, or the content cannot be read, which changes nothing.
    pub async fn replace_cache(
        &self,
        session: &Session,
        Opened { user, app }: Opened,
        request: v1::ReplaceCacheRequest,
    ) -> Result<u64, Failure> {
        let authorized = self.decide(session, CacheRequest { app }).await?;
        let entries = off_the_runtime(|| from_wire::cache_entries(request)).await?;
        let (new, old) = (entries.iter().map(Entry::size).sum::<usize>(), user.cached_bytes());
        if new > old {
            self.check_room(&user, new - old)?;
        }
        let (engine, runtime) = (Arc::clone(&self.engine), Handle::current());
        // To its end, too: who hangs up must not leave the disk and the memory differing.
        off_the_runtime(move || {
            let replaced = engine.replace_private_cache(&user, &authorized, entries);
            Ok(runtime.block_on(replaced)?)
        })
        .await
    }
}
