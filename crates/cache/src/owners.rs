//! The index of accounts, refresh tokens and ID tokens, by whom they belong to.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use valetkey_model::{AccountId, ClientId, UnixTime};

use crate::identity::{Folded, Owner};
use crate::key::is_same_client;
use crate::{Account, IdToken, RefreshToken};

pub(crate) mod list;

use self::list::{List, Listed};

#[derive(Default)]
pub(crate) struct Owners {
    hasher: DefaultHashBuilder,
    owners: Slab<Belongings>,
    table: HashTable<usize>,
    environments: HashMap<Arc<str>, Environment>,
}

/// What one owner has.
pub(crate) struct Belongings {
    environment: Arc<str>,
    home_account_id: Option<AccountId>,
    client_id: Option<ClientId>,
    /// One for each tenant, in the order of their coming.
    pub(crate) accounts: List<Account>,
    /// Newest first.
    pub(crate) refresh_tokens: List<RefreshToken>,
    pub(crate) id_tokens: List<IdToken>,
}

/// What is at one provider.
#[derive(Default)]
struct Environment {
    refresh_tokens: usize,
    with_accounts: BTreeSet<usize>,
}

impl Owners {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Belongings> {
        self.owners.iter().map(|(_, belongings)| belongings)
    }

    pub(crate) fn get(&self, owner: &Owner<'_>) -> Option<&Belongings> {
        self.find(owner).map(|index| &self.owners[index])
    }

    pub(crate) fn has_refresh_token_in(&self, environment: &str) -> bool {
        self.environments.get(environment).is_some_and(|it| it.refresh_tokens > 0)
    }

    /// Everyone who has an account at the provider.
    pub(crate) fn with_accounts(&self, environment: &str) -> impl Iterator<Item = &Belongings> {
        let indexes = self.environments.get(environment).map(|it| &it.with_accounts);
        indexes.into_iter().flatten().map(|index| &self.owners[*index])
    }

    /// What it replaces, as the others of this kind.
    pub(crate) fn put_account(&mut self, account: &Arc<Account>) -> Option<Arc<Account>> {
        self.change(owner_of_account(account), |it| it.accounts.put(account))
    }

    pub(crate) fn remove_account(&mut self, account: &Account) -> Option<Arc<Account>> {
        self.change(owner_of_account(account), |it| it.accounts.remove(account))
    }

    pub(crate) fn put_refresh_token(
        &mut self,
        token: &Arc<RefreshToken>,
    ) -> Option<Arc<RefreshToken>> {
        self.change(owner_of_refresh_token(token), |it| it.refresh_tokens.put(token))
    }

    pub(crate) fn remove_refresh_token(
        &mut self,
        token: &RefreshToken,
    ) -> Option<Arc<RefreshToken>> {
        self.change(owner_of_refresh_token(token), |it| it.refresh_tokens.remove(token))
    }

    pub(crate) fn put_id_token(&mut self, token: &Arc<IdToken>) -> Option<Arc<IdToken>> {
        self.change(owner_of_id_token(token), |it| it.id_tokens.put(token))
    }

    pub(crate) fn remove_id_token(&mut self, token: &IdToken) -> Option<Arc<IdToken>> {
        self.change(owner_of_id_token(token), |it| it.id_tokens.remove(token))
    }

    fn find(&self, owner: &Owner<'_>) -> Option<usize> {
        let is_owner = |index: &usize| self.owners[*index].owner().is(owner);
        self.table.find(owner.hash(&self.hasher), is_owner).copied()
    }

    /// Changes what the owner has, and keeps the indexes in step. An owner of nothing is forgotten.
    fn change<T>(&mut self, owner: Owner<'_>, change: impl FnOnce(&mut Belongings) -> T) -> T {
        let index = self.find(&owner).unwrap_or_else(|| self.add(&owner));
        let belongings = &mut self.owners[index];
        let before = belongings.refresh_tokens.len();
        let outcome = change(belongings);

        let environment = self.environments.entry(Arc::clone(&belongings.environment)).or_default();
        environment.refresh_tokens += belongings.refresh_tokens.len();
        environment.refresh_tokens -= before;
        if belongings.accounts.is_empty() {
            environment.with_accounts.remove(&index);
        } else {
            environment.with_accounts.insert(index);
        }
        if belongings.is_empty() {
            self.forget(index);
        }
        outcome
    }

    fn add(&mut self, owner: &Owner<'_>) -> usize {
        let known = self.environments.get_key_value(owner.environment);
        let environment = known.map_or_else(|| owner.environment.into(), |(it, _)| Arc::clone(it));
        let index = self.owners.insert(Belongings::of(owner, environment));
        let (owners, hasher) = (&self.owners, &self.hasher);
        self.table
            .insert_unique(owner.hash(hasher), index, |index| owners[*index].owner().hash(hasher));
        index
    }

    fn forget(&mut self, index: usize) {
        let hash = self.owners[index].owner().hash(&self.hasher);
        if let Ok(found) = self.table.find_entry(hash, |candidate| *candidate == index) {
            found.remove();
        }
        self.owners.remove(index);
    }
}

impl Belongings {
    fn of(owner: &Owner<'_>, environment: Arc<str>) -> Self {
        Self {
            environment,
            home_account_id: owner.home_account_id.cloned(),
            client_id: owner.client_id.cloned(),
            accounts: List::default(),
            refresh_tokens: List::default(),
            id_tokens: List::default(),
        }
    }

    fn owner(&self) -> Owner<'_> {
        Owner::new(&self.environment, self.home_account_id.as_ref(), self.client_id.as_ref())
    }

    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.refresh_tokens.is_empty() && self.id_tokens.is_empty()
    }

    pub(crate) fn home_account_id(&self) -> Option<&AccountId> {
        self.home_account_id.as_ref()
    }

    /// When the first of its accounts signed in.
    pub(crate) fn added_at(&self) -> Option<UnixTime> {
        self.accounts.iter().map(|account| account.added_at).min()
    }
}

fn owner_of_account(account: &Account) -> Owner<'_> {
    Owner::new(&account.environment, Some(&account.home_account_id), None)
}

fn owner_of_refresh_token(token: &RefreshToken) -> Owner<'_> {
    Owner::new(&token.environment, token.home_account_id.as_ref(), token.client_id.as_ref())
}

fn owner_of_id_token(token: &IdToken) -> Owner<'_> {
    Owner::new(&token.environment, token.home_account_id.as_ref(), token.client_id.as_ref())
}

impl Listed for Account {
    const NEWEST_FIRST: bool = false;

    fn is_same(&self, other: &Self) -> bool {
        self.realm == other.realm
    }

    fn identity(&self) -> impl Hash {
        &self.realm
    }
}

impl Listed for RefreshToken {
    const NEWEST_FIRST: bool = true;

    fn written_at(&self) -> UnixTime {
        self.last_modified
    }

    fn is_same(&self, other: &Self) -> bool {
        is_same_client(self.client_id.as_ref(), other.client_id.as_ref())
            && self.scopes == other.scopes
            && self.key_id == other.key_id
    }

    fn identity(&self) -> impl Hash {
        (Folded(self.client_id.as_ref()), self.scopes.target(), &self.key_id)
    }
}

impl Listed for IdToken {
    const NEWEST_FIRST: bool = false;

    fn is_same(&self, other: &Self) -> bool {
        is_same_client(self.client_id.as_ref(), other.client_id.as_ref())
            && self.realm == other.realm
    }

    fn identity(&self) -> impl Hash {
        (Folded(self.client_id.as_ref()), &self.realm)
    }
}
