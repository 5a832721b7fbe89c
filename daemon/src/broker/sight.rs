//! What a program sees of the accounts: those that its rule does not let it use look to it as if they were not there.

use std::sync::Arc;

use valetkey_engine::{ClientApplication, Event, FoundAccount, account_for_policy};
use valetkey_policy::{Asker, Policy, Subject as _, may_know_of};

use super::Broker;
use crate::configuration::InForce;
use crate::failure::Failure;
use crate::session::Session;

/// What one program sees, by the configuration of one moment.
pub(super) struct Sight<'a> {
    policy: &'a Policy,
    asker: Arc<Asker>,
}

impl Sight<'_> {
    /// Whether this account is there for it.
    pub(super) fn shows(&self, app: &ClientApplication, account: &FoundAccount) -> bool {
        let application = app.definition().application();
        may_know_of(self.policy, &self.asker, Some(application), account_for_policy(account))
    }
}

impl Broker {
    pub(super) async fn sight<'a>(
        &self,
        session: &Session,
        in_force: &'a InForce,
    ) -> Result<Sight<'a>, Failure> {
        Ok(Sight { policy: in_force.policy(), asker: self.asker(session, in_force).await? })
    }

    /// Leaves out of a list the accounts that the caller does not see.
    pub(super) async fn leave_out_unseen(
        &self,
        session: &Session,
        app: &ClientApplication,
        mut accounts: Vec<FoundAccount>,
    ) -> Result<Vec<FoundAccount>, Failure> {
        let in_force = self.configuration.in_force();
        let sight = self.sight(session, &in_force).await?;
        accounts.retain(|account| sight.shows(app, account));
        Ok(accounts)
    }

    /// Whether the caller may hear of it. Where nobody can tell who that is, of no account.
    pub async fn may_hear_of(&self, session: &Session, event: &Event) -> bool {
        let Some(account) = &event.account else { return true };
        self.configuration.keep_up(self.engine.now()).await;
        let in_force = self.configuration.in_force();
        let Ok(Sight { policy, asker }) = self.sight(session, &in_force).await else {
            return false;
        };
        let application = event.app.as_ref().map(|app| app.for_policy());
        may_know_of(policy, &asker, application, account.for_policy())
    }
}
