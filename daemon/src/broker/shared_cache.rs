//! The cache that the caller's programs share, as a whole.

use valetkey_engine::{ExportCacheRequest, ImportCacheRequest};
use valetkey_policy::{Authorized, decide_on_cache};
use valetkey_proto::v1::{self, AuditAct};
use zeroize::Zeroizing;

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
        let reading = from_wire::foreign_cache(request)?;
        let user = self.user(session).await?;
        let request = ImportCacheRequest { entries: reading.entries };
        let in_force = self.configuration.in_force();
        let authorized = decide_on_cache(in_force.policy(), session.caller(), request)?;
        let import = self.engine.import_cache(&user, authorized).await?;
        self.note(session, &Deed::new(AuditAct::CacheImported));
        Ok(to_wire::cache_import(&import, &reading.unreadable))
    }

    /// Whether the cache may go out.
    ///
    /// # Errors
    /// When the configuration has it forbidden.
    pub async fn authorize_export(
        &self,
        session: &Session,
    ) -> Result<Authorized<ExportCacheRequest>, Failure> {
        let in_force = self.configuration.look(self.engine.now()).await;
        Ok(decide_on_cache(in_force.policy(), session.caller(), ExportCacheRequest)?)
    }

    /// All that is in the cache, in clear.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn export_cache(
        &self,
        session: &Session,
        authorized: &Authorized<ExportCacheRequest>,
    ) -> Result<Zeroizing<String>, Failure> {
        let user = self.user(session).await?;
        self.note(session, &Deed::new(AuditAct::CacheExported));
        Ok(self.engine.export_cache(&user, authorized))
    }
}
