//! Removal: sign-out, an application's own tokens, a dead refresh token.

use std::sync::Arc;

use valetkey_model::{AccountId, ClientId};

use crate::identity::Owner;
use crate::key::is_same_client;
use crate::{Change, Document, Entry, RefreshToken, TokenCache};

impl TokenCache {
    /// Keeps a document, and of more than `most` the ones that were fetched last.
    pub fn plan_document(&self, document: Document, most: usize) -> Vec<Change> {
        let others = self.documents.values().filter(|other| other.url != document.url);
        let mut others: Vec<_> = others.cloned().collect();
        let surplus = (others.len() + 1).saturating_sub(most);
        others.sort_unstable_by_key(|other| other.fetched_at);
        others.truncate(surplus);
        let removals = others.into_iter().map(|old| Change::Remove(Entry::Document(old)));
        removals.chain([Change::Put(Entry::Document(Arc::new(document)))]).collect()
    }

    /// What goes when the account signs out of a client application at a provider, known by these hosts: its refresh
    /// tokens and those of its family, and of all applications the access tokens (extended ones too), ID tokens and
    /// accounts. Other applications' refresh tokens stay.
    pub fn plan_sign_out(
        &self,
        environments: &[&str],
        home_account_id: &AccountId,
        client_id: Option<&ClientId>,
    ) -> Vec<Change> {
        let family = self.family_of(environments, client_id);
        let goes = |token: &&Arc<RefreshToken>| {
            is_same_client(token.client_id.as_ref(), client_id)
                || (family.is_some() && token.family_id.as_deref() == family)
        };
        let mut removed = Vec::new();
        for environment in environments {
            let owner = Owner::new(environment, Some(home_account_id), None);
            if let Some(it) = self.owners.get(&owner) {
                let refresh_tokens = it.refresh_tokens.iter().filter(goes).cloned();
                removed.extend(refresh_tokens.map(Entry::RefreshToken));
                removed.extend(it.id_tokens.iter().cloned().map(Entry::IdToken));
                removed.extend(it.accounts.iter().cloned().map(Entry::Account));
            }
            removed.extend(self.access_tokens.of_owner(owner).cloned().map(Entry::AccessToken));
        }
        removed.into_iter().map(Change::Remove).collect()
    }

    /// What goes when an application drops all tokens of its own, of all tenants.
    pub fn plan_remove_app_tokens(
        &self,
        environments: &[&str],
        client_id: Option<&ClientId>,
    ) -> Vec<Change> {
        let owners = environments.iter().map(|it| Owner::new(it, None, client_id));
        let tokens = owners.flat_map(|owner| self.access_tokens.of_owner(owner)).cloned();
        tokens.map(|token| Change::Remove(Entry::AccessToken(token))).collect()
    }

    /// What goes when the provider says that `used` is dead; nothing when it was replaced meanwhile.
    pub fn plan_forget_refresh_token(&self, used: &RefreshToken) -> Vec<Change> {
        let stored = self.find_unchanged(used);
        stored
            .map(|token| Change::Remove(Entry::RefreshToken(Arc::clone(token))))
            .into_iter()
            .collect()
    }

    /// The very refresh token that was used, if it is still there and was neither rotated nor replaced.
    pub(crate) fn find_unchanged(&self, used: &RefreshToken) -> Option<&Arc<RefreshToken>> {
        let (home, client) = (used.home_account_id.as_ref(), used.client_id.as_ref());
        let owner = Owner::new(&used.environment, home, client);
        let stored = self.owners.get(&owner)?.refresh_tokens.find(used);
        stored.filter(|stored| stored.secret.expose() == used.secret.expose())
    }

    /// The family of an application at a provider, under whichever of its hosts it was learnt.
    fn family_of(&self, environments: &[&str], client_id: Option<&ClientId>) -> Option<&str> {
        let mut apps = environments.iter().filter_map(|it| self.apps.find(it, client_id));
        apps.find_map(|app| app.family_id.as_deref())
    }
}
