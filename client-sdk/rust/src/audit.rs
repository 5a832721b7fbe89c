//! `GET /v1/audit`: who got what, and when.

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{Audit, AuditRecord};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// The last records of the calling user, at most `limit`, the newest last.
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditRecord>, Error> {
        Ok(self.call(read(limit)).await?.records)
    }
}

impl blocking::Client {
    /// As [`Client::audit`].
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub fn audit(&self, limit: usize) -> Result<Vec<AuditRecord>, Error> {
        Ok(self.call(read(limit))?.records)
    }
}

fn read(limit: usize) -> Call<Audit> {
    Call::get(&format!("{}?limit={limit}", route::AUDIT))
}
