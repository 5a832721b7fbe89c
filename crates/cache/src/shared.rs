//! Texts that many of the entries read in one go have in common, made once.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use valetkey_model::{AccountId, ClientId, IdError, ScopeSet};

/// Lives as long as one load: account ids and scope sets come and go with the users.
#[derive(Default)]
pub(crate) struct Shared {
    texts: HashSet<Arc<str>>,
    client_ids: HashMap<Box<str>, ClientId>,
    home_account_ids: HashMap<Box<str>, AccountId>,
    scope_sets: HashMap<Box<str>, ScopeSet>,
}

impl Shared {
    pub(crate) fn text(&mut self, text: &str) -> Arc<str> {
        Arc::clone(self.texts.get_or_insert_with(text, |text| text.into()))
    }

    pub(crate) fn client_id(&mut self, text: &str) -> Result<ClientId, IdError> {
        get_or_make(&mut self.client_ids, text, ClientId::new)
    }

    pub(crate) fn home_account_id(&mut self, text: &str) -> Result<AccountId, IdError> {
        get_or_make(&mut self.home_account_ids, text, AccountId::new)
    }

    pub(crate) fn scope_set(&mut self, target: &str) -> ScopeSet {
        match self.scope_sets.get(target) {
            Some(known) => known.clone(),
            None => {
                let set = ScopeSet::from_target(target);
                self.scope_sets.insert(target.into(), set.clone());
                set
            }
        }
    }
}

fn get_or_make<T: Clone>(
    known: &mut HashMap<Box<str>, T>,
    text: &str,
    make: impl FnOnce(&str) -> Result<T, IdError>,
) -> Result<T, IdError> {
    if let Some(known) = known.get(text) {
        return Ok(known.clone());
    }
    let made = make(text)?;
    known.insert(text.into(), made.clone());
    Ok(made)
}
