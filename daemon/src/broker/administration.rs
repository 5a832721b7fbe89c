//! Who is served, and who sees to what all users share.

use valetkey_cache::Counts;
use valetkey_engine::User;
use valetkey_model::Caller;
use valetkey_policy::ServiceDenial;
use valetkey_proto::v1::{AuditAct, ErrorCode};

use super::Broker;
use crate::audit::Deed;
use crate::failure::Failure;
use crate::session::Session;

/// How many accounts and tokens of one user are kept where others are to be kept as well: some 60 MiB.
const MOST_CACHED: usize = 20_000;

impl Broker {
    /// Whether more of a user's may come into the cache, `bytes` of which are known. What is there is kept, and refreshed.
    ///
    /// # Errors
    /// Where several users are served, and this one has enough.
    pub fn check_room(&self, user: &User, bytes: usize) -> Result<(), Failure> {
        self.engine.check_room(user.partition(), bytes)?;
        let Counts { accounts, access_tokens, refresh_tokens, .. } = user.counts();
        if !self.serves_several() || accounts + access_tokens + refresh_tokens < MOST_CACHED {
            return Ok(());
        }
        let text = format!(
            "{MOST_CACHED} accounts and tokens of this user are cached, and that is the limit; sign out of some accounts"
        );
        Err(Failure::request(ErrorCode::TooManyRequests, text))
    }

    /// Whether other users than the daemon's own are served.
    pub fn serves_several(&self) -> bool {
        self.service.serves_several()
    }

    /// Whether the service is known to be for others than this caller.
    pub fn is_known_stranger(&self, caller: &Caller) -> bool {
        self.service.is_known_stranger(caller)
    }

    /// Whether a connection's user is served.
    ///
    /// # Errors
    /// When the service is for others.
    pub async fn check_connection(&self, session: &Session) -> Result<(), ServiceDenial> {
        self.service.admit(session, &self.configuration, self.engine.now()).await?;
        if self.serves_several() {
            session.stay(|user| self.in_memory.stay(user));
        }
        Ok(())
    }

    /// Whether a connection's user sees to what all users share.
    ///
    /// # Errors
    /// When others do.
    pub async fn decide_on_shared_administration(&self, session: &Session) -> Result<(), Failure> {
        let now = self.engine.now();
        let decided = self.service.admit_to_administration(session, &self.configuration, now).await;
        Ok(decided.inspect_err(|denial| {
            self.note(session, &Deed::new(AuditAct::Denied).because(&denial.to_string()));
        })?)
    }

    /// The same as a fact, of which nothing is noted.
    pub async fn is_administrator(&self, session: &Session) -> bool {
        let now = self.engine.now();
        self.service.admit_to_administration(session, &self.configuration, now).await.is_ok()
    }
}
