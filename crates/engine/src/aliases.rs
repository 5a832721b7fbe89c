//! Which hosts are one provider: Entra goes by several names, and what came under one is as good under another
//! (`spec/msal-python.md` section 3.5).
//!
//! The names of the hosts that everybody knows never change. About any other Microsoft is asked, and no sooner than something
//! is missed under the host's own name: a cached token needs no network, and a failure to ask is no failure of the request
//! (MSAL lets it be one).

use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;
use valetkey_model::{AuthorityKind, UnixTime};
use valetkey_oauth::{build_alias_request, known_aliases, parse_aliases};

use crate::application::{ClientApplication, InstanceDiscovery};
use crate::engine::Engine;
use crate::provider::asks_about_host;
use crate::user::User;

/// Whoever could not tell is not asked again at once: with no network each miss would wait for it.
const PAUSE_SECONDS: i64 = 60;

/// The other names of an application's host, as far as only Microsoft knows them.
#[derive(Default)]
pub(crate) struct Aliases {
    learnt: OnceCell<Vec<String>>,
    asked_in_vain: Mutex<Option<UnixTime>>,
}

/// Nobody could tell.
struct NotTold;

impl Aliases {
    fn pause(&self, now: UnixTime) {
        *self.asked_in_vain.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn is_paused(&self, now: UnixTime) -> bool {
        let asked = *self.asked_in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|asked| (0..PAUSE_SECONDS).contains(&now.seconds_since(asked)))
    }
}

/// The provider's host, then its other names, as far as they are known.
pub(crate) fn hosts_of(app: &ClientApplication) -> impl Iterator<Item = &str> {
    let authority = &app.definition().authority;
    let own = authority.environment();
    let is_entra = authority.kind() == AuthorityKind::Entra;
    let learnt = app.aliases().learnt.get().into_iter().flatten().map(String::as_str);
    std::iter::once(own).chain(known_aliases(own).filter(move |_| is_entra)).chain(learnt)
}

impl Engine {
    /// Finds out the other names of a host that is not well known; true when it has any. Callers that come together ask once,
    /// and the HTTP cache has the answer for a day.
    pub(crate) async fn learn_aliases(&self, user: &User, app: &ClientApplication) -> bool {
        if !may_learn(app) {
            return false;
        }
        let asking = || self.ask_for_aliases(user, app);
        let learnt = app.aliases().learnt.get_or_try_init(asking).await;
        learnt.is_ok_and(|names| !names.is_empty())
    }

    async fn ask_for_aliases(
        &self,
        user: &User,
        app: &ClientApplication,
    ) -> Result<Vec<String>, NotTold> {
        let (aliases, authority) = (app.aliases(), &app.definition().authority);
        if aliases.is_paused(self.now()) {
            return Err(NotTold);
        }
        let asking = build_alias_request(authority);
        let answer = self.send(user, app, asking.clone()).await.map_err(|error| {
            tracing::info!(%error, "the other names of the provider's host could not be asked for");
            aliases.pause(self.now());
            NotTold
        })?;
        match parse_aliases(&answer) {
            Ok(groups) => Ok(names_beside(authority.environment(), groups)),
            Err(error) => {
                tracing::info!(%error, "the other names of the provider's host are not known");
                self.forget_answer(user, app, &asking).await;
                aliases.pause(self.now());
                Err(NotTold)
            }
        }
    }
}

/// Not where an application has a way to the provider of its own, or another list of clouds: whoever is believed there could
/// say that some host of theirs is Microsoft's, and would be sent Microsoft's tokens.
fn may_learn(app: &ClientApplication) -> bool {
    let asks_microsoft = app.definition().instance_discovery == InstanceDiscovery::Enabled;
    asks_microsoft && asks_about_host(app.definition()) && app.route().is_none()
}

/// The others of the group that has `host` in it.
fn names_beside(host: &str, groups: Vec<Vec<String>>) -> Vec<String> {
    let group = groups.into_iter().find(|group| group.iter().any(|name| name == host));
    let mut names = group.unwrap_or_default();
    names.retain(|name| name != host);
    names
}
