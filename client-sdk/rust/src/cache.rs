//! `POST /v1/cache/import` and `POST /v1/cache/export`: for the command, by which a person moves in and out. An application
//! has no use for either.

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{CacheImport, ExportCacheRequest, ExportedCache, ImportCacheRequest};

use crate::blocking;
use crate::call::Call;
use crate::error::Error;

impl blocking::Client {
    /// Takes over what another library cached.
    ///
    /// # Errors
    /// When it is no cache, or cannot be saved.
    pub fn import_cache(&self, request: &ImportCacheRequest) -> Result<CacheImport, Error> {
        // A second time takes nothing over that is there already.
        self.call(Call::post(route::CACHE_IMPORT, request).repeatable())
    }

    /// All that is cached, the refresh tokens in clear.
    ///
    /// # Errors
    /// When the store's passphrase is asked for and not right.
    pub fn export_cache(&self, request: &ExportCacheRequest) -> Result<ExportedCache, Error> {
        self.call(Call::post(route::CACHE_EXPORT, request))
    }
}
