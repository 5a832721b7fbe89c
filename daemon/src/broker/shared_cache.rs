//! The cache that the caller's programs share, as a whole.

use std::sync::Arc;

use valetkey_cache::Entry;
use valetkey_engine::{Error, ExportCacheRequest, ImportCacheRequest};
use valetkey_policy::{Authorized, decide_on_cache};
use valetkey_proto::v1::{self, AuditAct};

use super::Broker;
use crate::audit::Deed;
use crate::failure::Failure;
use crate::session::Session;
use crate::{from_wire, to_wire};

impl Broker {
    /// Takes over what another library cached.
    ///
    /// # Errors
    /// When it is no cache, which changes nothing, or cannot be saved.
    pub async fn import_cache(
        &self,
        session: &Session,
        request: v1::ImportCacheRequest,
    ) -> Result<v1::CacheImport, Failure> {
        let reading = off_the_runtime(|| from_wire::foreign_cache(request)).await?;
        let user = self.user(session).await?;
        self.check_room(&user, reading.entries.iter().map(Entry::size).sum())?;
        let request = ImportCacheRequest { entries: reading.entries };
        let in_force = self.configuration.in_force();
        let asker = self.described_asker(session, &in_force).await?;
        let authorized = decide_on_cache(in_force.policy(), &asker, request)
            .map_err(|denial| self.deny(session, denial))?;
        let import = self.engine.import_cache(&user, authorized).await?;
        self.note(session, &Deed::new(AuditAct::CacheImported));
        Ok(to_wire::cache_import(&import, &reading.unreadable))
    }

    /// Whether the cache may go out.
    ///
    /// # Errors
    /// When the configuration has it forbidden, or keeps programs from some of what is in it.
    pub async fn authorize_export(
        &self,
        session: &Session,
    ) -> Result<Authorized<ExportCacheRequest>, Failure> {
        let in_force = self.configuration.look(self.engine.now()).await;
        let asker = self.described_asker(session, &in_force).await?;
        decide_on_cache(in_force.policy(), &asker, ExportCacheRequest)
            .map_err(|denial| self.deny(session, denial))
    }

    /// All that is in the cache, in clear.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn export_cache(
        &self,
        session: &Session,
        authorized: Authorized<ExportCacheRequest>,
    ) -> Result<v1::ExportedCache, Failure> {
        let user = self.user(session).await?;
        self.note(session, &Deed::new(AuditAct::CacheExported));
        let engine = Arc::clone(&self.engine);
        let write = move || to_wire::sections(&engine.export_cache(&user, &authorized));
        Ok(v1::ExportedCache { cache: off_the_runtime(write).await? })
    }
}

/// A large cache takes a while, and others are being answered.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let died = |_| Err(Error::Bug("reading or writing a cache died").into());
    tokio::task::spawn_blocking(work).await.unwrap_or_else(died)
}
