//! What the engine holds for one user: the token cache, open applications, flows and flights. Nothing here is shared
//! between users.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::Mutex as AsyncMutex;
use valetkey_cache::{Change, Counts, TokenCache};
use valetkey_model::{AccountId, Authority, Partition, ScopeSet, Secret, UnixTime};
use valetkey_oauth::{ProviderMetadata, known_aliases};

use crate::accounts::name_among;
use crate::answer::TokenAnswer;
use crate::application::{AppId, ClientApplication, Definition};
use crate::dpop::DpopNonces;
use crate::error::Error;
use crate::event::{EventAccount, Events, Happening};
use crate::flight::Flights;
use crate::flight_key::FlightKey;
use crate::flow::registry::FlowRegistry;
use crate::http_cache::HttpCache;
use crate::keyed_lock::KeyedLocks;
use crate::lease::Lease;
use crate::managed_identity::{ManagedIdentityApplication, ManagedIdentityDefinition};
use crate::open_apps::{OpenApps, SMALL};
use crate::ports::{StoreError, TokenStore};
use crate::refresh_ahead::RefreshAhead;

/// What makes two discoveries the same: the authority, and the name of its document.
type DiscoveryKey = (Authority, String);

/// Everything of one user.
pub struct User {
    pub(crate) partition: Partition,
    store: Arc<dyn TokenStore>,
    cache: RwLock<TokenCache>,
    /// Held while a change is planned, saved and applied, so that no two plans contradict each other; with what could not
    /// be saved yet.
    writer: AsyncMutex<Vec<Change>>,
    apps: OpenApps<ClientApplication>,
    managed_identities: OpenApps<ManagedIdentityApplication>,
    http_cache: Mutex<HttpCache>,
    pub(crate) dpop_nonces: Mutex<DpopNonces>,
    pub(crate) flights: Arc<Flights<FlightKey, Result<TokenAnswer, Error>>>,
    pub(crate) discoveries: Arc<Flights<DiscoveryKey, Result<Arc<ProviderMetadata>, Error>>>,
    pub(crate) refresh_ahead: RefreshAhead,
    pub(crate) redemptions: KeyedLocks,
    pub(crate) flows: FlowRegistry,
    pub(crate) events: Arc<Events>,
    /// Locked away: whoever still holds this must not begin anything with it.
    is_forgotten: AtomicBool,
}

impl User {
    pub(crate) fn new(
        partition: Partition,
        store: Arc<dyn TokenStore>,
        cache: TokenCache,
        http_cache: HttpCache,
        events: Arc<Events>,
    ) -> Self {
        Self {
            partition,
            store,
            cache: RwLock::new(cache),
            writer: AsyncMutex::default(),
            apps: OpenApps::default(),
            managed_identities: OpenApps::default(),
            http_cache: Mutex::new(http_cache),
            dpop_nonces: Mutex::default(),
            flights: Arc::default(),
            discoveries: Arc::default(),
            refresh_ahead: RefreshAhead::default(),
            redemptions: KeyedLocks::default(),
            flows: FlowRegistry::default(),
            events,
            is_forgotten: AtomicBool::default(),
        }
    }

    /// Whose it is.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Whether it is this owner's, and in the store.
    pub(crate) fn is_stored_for(&self, owner: &Partition) -> bool {
        !self.partition.is_in_memory() && self.partition.owner() == *owner
    }

    /// About how many bytes of memory its cached entries take up.
    pub fn cached_bytes(&self) -> usize {
        self.cache().size()
    }

    /// About how many bytes of memory it takes up.
    pub(crate) fn size(&self) -> usize {
        let opened = self.apps.size() + self.managed_identities.size();
        self.cache().size() + self.http_cache().size() + self.flows.size() + opened
    }

    /// How many entries of each kind are cached.
    pub fn counts(&self) -> Counts {
        self.cache().counts()
    }

    /// The user name of an account; `None` when it is not there.
    pub fn username_of(&self, environment: &str, account: &AccountId) -> Option<Arc<str>> {
        let hosts = std::iter::once(environment).chain(known_aliases(environment));
        name_among(&self.cache(), hosts, account)
    }

    /// Tells whoever listens that a program may use an account, or may not any more.
    pub fn tell_grant_changed(&self, at: UnixTime, account: Option<EventAccount>) {
        self.events.tell_of_user(Happening::GrantChanged, at, account);
    }

    /// Tells whoever listens what an application has done, to an account that is there.
    pub(crate) fn tell(
        &self,
        happening: Happening,
        at: UnixTime,
        app: &ClientApplication,
        account: Option<&AccountId>,
        scopes: &ScopeSet,
    ) {
        let environment = app.definition().authority.environment();
        let account = account.map(|id| EventAccount {
            id: id.clone(),
            environment: environment.to_owned(),
            username: self.username_of(environment, id).unwrap_or_else(|| id.as_str().into()),
        });
        self.events.tell(happening, at, app, account, scopes);
    }

    /// How many flows are open.
    pub fn open_flows(&self) -> usize {
        self.flows.open()
    }

    /// How many changes wait for the disk to take them again.
    pub fn unsaved(&self) -> usize {
        // Somebody is writing just now: what waits will be known in a moment.
        self.writer.try_lock().map_or(0, |unsaved| unsaved.len())
    }

    /// Opens an application: the one that this definition names already, or a new one.
    ///
    /// # Errors
    /// When the user has too many, all of them in the middle of a sign-in.
    pub fn open_app(&self, definition: Definition) -> Result<Arc<ClientApplication>, Error> {
        let (id, size) = (definition.app_id(), definition.size());
        let make = || ClientApplication::open(definition);
        self.apps.open(id, size, make, || self.flows.open_apps())
    }

    /// The open application with this id.
    pub fn find_app(&self, id: &AppId) -> Option<Arc<ClientApplication>> {
        self.apps.find(id)
    }

    /// The open applications, in no particular order.
    pub fn apps(&self) -> Vec<Arc<ClientApplication>> {
        self.apps.list()
    }

    /// Opens a managed identity: the one that this definition names already, or a new one.
    ///
    /// # Errors
    /// When the user has too many.
    pub fn open_managed_identity(
        &self,
        definition: ManagedIdentityDefinition,
    ) -> Result<Arc<ManagedIdentityApplication>, Error> {
        let (id, nobody) = (definition.app_id(), HashSet::new);
        let make = || ManagedIdentityApplication::open(definition);
        self.managed_identities.open(id, SMALL, make, nobody)
    }

    /// The open managed identity with this id.
    pub fn find_managed_identity(&self, id: &AppId) -> Option<Arc<ManagedIdentityApplication>> {
        self.managed_identities.find(id)
    }

    /// A look at the cache. Hold it briefly, and never over an await.
    pub(crate) fn cache(&self) -> RwLockReadGuard<'_, TokenCache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look at the HTTP cache. Hold it briefly, and never over an await.
    pub(crate) fn http_cache(&self) -> MutexGuard<'_, HttpCache> {
        self.http_cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves what the HTTP cache keeps and drops. Failing to costs no more than asking the provider again after a restart;
    /// what is too old on the disk is dropped when it is read.
    pub(crate) async fn save_answers(&self, changes: Vec<Change>) {
        if changes.is_empty() || self.is_forgotten() {
            return;
        }
        if let Err(error) = self.store.save(&self.partition, &changes).await {
            tracing::info!(%error, "answers of providers could not be saved");
        }
    }

    /// See [`TokenStore::note_presented`].
    pub(crate) async fn note_presented(&self, refresh_token: &Secret) -> bool {
        self.store.note_presented(refresh_token).await
    }

    /// See [`TokenStore::settle_presented`].
    pub(crate) async fn settle_presented(&self, refresh_token: &Secret) {
        self.store.settle_presented(refresh_token).await;
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Relaxed)
    }

    /// Ends what is open, since the store is being locked and somebody else will stand in this one's place.
    pub(crate) fn forget(&self) {
        self.is_forgotten.store(true, Ordering::Relaxed);
        self.flows.end_all(&StoreError::Locked("it was locked".to_owned()).into());
    }

    /// Plans a change on the cache as it is, saves it, and only then lets anyone see it. Returns the changes.
    ///
    /// What cannot be saved is kept and tried again with the next change, so that a refresh token that the provider has
    /// rotated is not lost to a full disk.
    pub(crate) async fn commit(
        &self,
        _lease: &Lease,
        plan: impl FnOnce(&TokenCache) -> Vec<Change>,
    ) -> Result<Vec<Change>, Error> {
        let mut unsaved = self.writer.lock().await;
        let flushed = self.flush(&mut unsaved).await;
        let changes = plan(&self.cache());
        if let Err(error) = flushed {
            unsaved.extend(changes);
            return Err(error);
        }
        if changes.is_empty() {
            return Ok(changes);
        }
        match self.store.save(&self.partition, &changes).await {
            Ok(()) => self.apply(&changes),
            Err(error) => {
                unsaved.extend(changes);
                return Err(error.into());
            }
        }
        Ok(changes)
    }

    /// Saves what could not be saved before.
    pub(crate) async fn save_unsaved(&self) -> Result<(), Error> {
        let mut unsaved = self.writer.lock().await;
        self.flush(&mut unsaved).await
    }

    async fn flush(&self, unsaved: &mut Vec<Change>) -> Result<(), Error> {
        if unsaved.is_empty() {
            return Ok(());
        }
        self.store.save(&self.partition, unsaved).await?;
        self.apply(unsaved);
        unsaved.clear();
        Ok(())
    }

    fn apply(&self, changes: &[Change]) {
        self.cache.write().unwrap_or_else(PoisonError::into_inner).apply(changes);
    }
}
