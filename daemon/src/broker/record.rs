//! What of a caller's doings goes on record (`audit`).

use valetkey_model::AccountId;
use valetkey_policy::Denial;
use valetkey_proto::v1::{AuditAct, AuditRecord};

use super::Broker;
use crate::audit::{Audit, Deed};
use crate::session::Session;

impl Broker {
    /// The record.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Puts something on record.
    pub fn note(&self, session: &Session, deed: &Deed<'_>) {
        self.audit.note(session, deed, self.engine.now());
    }

    pub(super) fn note_denial(&self, session: &Session, denial: &Denial) {
        self.note(session, &Deed::new(AuditAct::Denied).because(&denial.to_string()));
    }

    /// Who an account is, for as long as it is there and the store is open.
    pub async fn name_accounts(&self, session: &Session, records: &mut [AuditRecord]) {
        let Ok(user) = self.user(session).await else { return };
        for record in records {
            let account = record.home_account_id.as_deref().map(AccountId::new);
            if let (Some(Ok(account)), Some(environment)) = (account, &record.environment) {
                let name = user.username_of(environment, &account);
                record.username = name.map(|name| name.to_string());
            }
        }
    }
}
