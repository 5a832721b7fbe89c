//! The applications that one user has open, as many as there is room for: the one that was used longest ago makes room.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::application::AppId;
use crate::error::Error;

/// How many applications one user may have open. An honest desktop has a few dozen.
const MAX_APPS: usize = 1024;
/// How many of them may be large: with a route of their own may come a bundle of certificates of some 200 KiB.
const MAX_LARGE_APPS: usize = 64;
/// Bytes beyond which an application is large.
const LARGE: usize = 64 * 1024;
/// About how many bytes one takes up of which nothing is large.
pub(crate) const SMALL: usize = 8 * 1024;

/// Open applications by their ids.
pub(crate) struct OpenApps<A> {
    apps: RwLock<HashMap<AppId, OpenApp<A>>>,
    /// Counts uses, and so tells their order.
    uses: AtomicU64,
}

struct OpenApp<A> {
    app: Arc<A>,
    size: usize,
    last_use: AtomicU64,
}

impl<A> OpenApp<A> {
    fn is_large(&self) -> bool {
        self.size > LARGE
    }
}

impl<A> Default for OpenApps<A> {
    fn default() -> Self {
        Self { apps: RwLock::default(), uses: AtomicU64::default() }
    }
}

impl<A> OpenApps<A> {
    /// The application with this id, opened if need be. A full house loses one that is none of the `busy`: its next user opens it
    /// again, under the same id.
    pub(crate) fn open(
        &self,
        id: AppId,
        size: usize,
        make: impl FnOnce() -> A,
        busy: impl FnOnce() -> HashSet<AppId>,
    ) -> Result<Arc<A>, Error> {
        if let Some(app) = self.find(&id) {
            return Ok(app);
        }
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        let is_crowd =
            size > LARGE && apps.values().filter(|open| open.is_large()).count() >= MAX_LARGE_APPS;
        if is_crowd || apps.len() >= MAX_APPS {
            let busy = busy();
            let may_go = |open: &OpenApp<A>| !is_crowd || open.is_large();
            let idle = apps.iter().filter(|(id, open)| !busy.contains(id) && may_go(open));
            let oldest = idle.min_by_key(|(_, open)| open.last_use.load(Ordering::Relaxed));
            let oldest = oldest.map(|(id, _)| id.clone());
            let Some(oldest) = oldest else {
                let limit = if is_crowd { MAX_LARGE_APPS } else { MAX_APPS };
                return Err(Error::TooMany { what: "applications", limit });
            };
            apps.remove(&oldest);
        }
        let last_use = AtomicU64::new(self.next_use());
        let fresh = || OpenApp { app: Arc::new(make()), size, last_use };
        Ok(Arc::clone(&apps.entry(id).or_insert_with(fresh).app))
    }

    pub(crate) fn find(&self, id: &AppId) -> Option<Arc<A>> {
        let apps = self.read();
        let open = apps.get(id)?;
        open.last_use.store(self.next_use(), Ordering::Relaxed);
        Some(Arc::clone(&open.app))
    }

    /// In no particular order.
    pub(crate) fn list(&self) -> Vec<Arc<A>> {
        self.read().values().map(|open| Arc::clone(&open.app)).collect()
    }

    /// About how many bytes they take up. Visits them all, of which there are not many.
    pub(crate) fn size(&self) -> usize {
        self.read().values().map(|open| open.size).sum()
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<AppId, OpenApp<A>>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(number: usize) -> AppId {
        AppId::from_text(&format!("application-{number}"))
    }

    fn open(apps: &OpenApps<AppId>, number: usize, busy: &[usize]) -> Result<AppId, Error> {
        let busy = || busy.iter().map(|number| id_of(*number)).collect();
        apps.open(id_of(number), SMALL, || id_of(number), busy).map(|app| AppId::clone(&app))
    }

    #[test]
    fn of_too_many_applications_the_one_that_was_used_longest_ago_makes_room() {
        let apps = OpenApps::default();
        let ids: Vec<_> = (0..MAX_APPS).map(|number| open(&apps, number, &[]).unwrap()).collect();
        assert!(apps.find(&ids[0]).is_some());
        open(&apps, MAX_APPS, &[1]).unwrap();
        let is_open = |number: usize| apps.read().contains_key(&ids[number]);
        assert_eq!([0, 1, 2, 3].map(is_open), [true, true, false, true]);
        assert_eq!(apps.list().len(), MAX_APPS);
    }

    #[test]
    fn large_applications_make_room_for_each_other() {
        let apps = OpenApps::default();
        let usual = open(&apps, 0, &[]).unwrap();
        let open_large = |number: usize| {
            let id = id_of(number + 1);
            apps.open(id.clone(), LARGE + 1, || id, HashSet::new)
                .map(|app| AppId::clone(&app))
                .unwrap()
        };
        let ids: Vec<_> = (0..=MAX_LARGE_APPS).map(open_large).collect();
        assert!(apps.find(&usual).is_some());
        assert_eq!([0, 1].map(|number| apps.find(&ids[number]).is_some()), [false, true]);
        assert_eq!(apps.list().len(), MAX_LARGE_APPS + 1);
    }

    #[test]
    fn an_application_in_the_middle_of_a_sign_in_is_not_closed_for_another() {
        let apps = OpenApps::default();
        let all: Vec<_> = (0..MAX_APPS).collect();
        for number in &all {
            open(&apps, *number, &[]).unwrap();
        }
        let refused = open(&apps, MAX_APPS, &all);
        assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
        assert!(open(&apps, 0, &all).is_ok(), "one that is open already needs no room");
    }
}
