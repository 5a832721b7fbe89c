//! The engine itself: the users, and the verbs that the daemon calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::{Mutex as AsyncMutex, OnceCell, broadcast};
use valetkey_cache::{Entry, TokenCache};
use valetkey_model::{CorrelationId, Partition, UnixTime};
use valetkey_oauth::{HttpRequest, HttpResponse, Region};

use crate::application::{ClientApplication, Definition};
use crate::error::Error;
use crate::event::{AllEvents, Event};
use crate::http_cache::HttpCache;
use crate::lease::{Leases, LockedUsers};
use crate::ports::{Clock, HttpClient, Machine, Nowhere, RedirectListener, Rng, TokenStore};
use crate::user::User;

/// The outside world, as the composition root wires it up.
#[derive(Clone)]
pub struct Ports {
    /// To the providers.
    pub http: Arc<dyn HttpClient>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// States, nonces, verifiers, ids.
    pub rng: Arc<dyn Rng>,
    /// Where entries survive.
    pub store: Arc<dyn TokenStore>,
    /// Where browsers come back to.
    pub redirects: Arc<dyn RedirectListener>,
    /// What gives managed identities.
    pub machine: Arc<dyn Machine>,
}

/// The broker's mind. Open applications on a [`User`], then ask for tokens with requests that the policy authorized.
///
/// Verbs live beside what they do: `acquire_token_silent` in `refresh.rs`, `start_flow` in `flow/mod.rs`, `accounts` and
/// `sign_out` in `accounts.rs`.
pub struct Engine {
    pub(crate) ports: Ports,
    pub(crate) users: RwLock<HashMap<Partition, Arc<User>>>,
    pub(crate) loading: AsyncMutex<()>,
    /// What is open again once it is unlocked.
    kept_open: Mutex<HashMap<Partition, Vec<Definition>>>,
    /// Shared by whoever of a user's redeems and saves; held alone while that is locked.
    pub(crate) leases: Leases,
    pub(crate) locked_users: LockedUsers,
    pub(crate) events: AllEvents,
    pub(crate) machine_region: OnceCell<Option<Region>>,
    /// How many bytes of memory each user's programs may take up.
    pub(crate) room_of_each: Option<usize>,
}

impl Engine {
    /// An engine over this world.
    pub fn new(ports: Ports) -> Arc<Self> {
        Self::with_room(ports, None)
    }

    /// The same, where the programs of each user may take up so many bytes of memory.
    pub fn with_room(ports: Ports, room_of_each: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            room_of_each,
            ports,
            users: RwLock::default(),
            loading: AsyncMutex::default(),
            kept_open: Mutex::default(),
            leases: Leases::default(),
            locked_users: LockedUsers::default(),
            events: AllEvents::default(),
            machine_region: OnceCell::new(),
        })
    }

    /// A user whose cache is loaded already: the hot path.
    pub fn find_user(&self, partition: &Partition) -> Option<Arc<User>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).get(partition).cloned()
    }

    /// A user, whose cache is loaded first if need be.
    ///
    /// # Errors
    /// When the store is locked or unreadable; nothing is remembered of that, so the next call tries again.
    pub async fn user(&self, partition: &Partition) -> Result<Arc<User>, Error> {
        if let Some(user) = self.find_user(partition) {
            return Ok(user);
        }
        let _loading = self.loading.lock().await;
        if let Some(user) = self.find_user(partition) {
            return Ok(user);
        }
        self.check_unlocked(partition)?;
        let store: Arc<dyn TokenStore> = match partition.is_in_memory() {
            true => Arc::new(Nowhere),
            false => Arc::clone(&self.ports.store),
        };
        let user = Arc::new(self.load_user(partition, store).await?);
        for definition in self.kept_open().remove(partition).into_iter().flatten() {
            user.open_app(definition)?;
        }
        self.users
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(partition.clone(), Arc::clone(&user));
        let stale = user.http_cache().take_unsaved();
        if !stale.is_empty() {
            let user = Arc::clone(&user);
            // Nobody waits for old answers to go.
            tokio::spawn(async move { user.save_answers(stale).await });
        }
        Ok(user)
    }

    async fn load_user(
        &self,
        partition: &Partition,
        store: Arc<dyn TokenStore>,
    ) -> Result<User, Error> {
        let mut answers = Vec::new();
        let entries = store.load(partition).await?.into_iter();
        let cache = TokenCache::from_entries(entries.filter_map(|entry| match entry {
            Entry::Answer(answer) => {
                answers.push(answer);
                None
            }
            other => Some(other),
        }));
        let http_cache = HttpCache::restore(answers, self.now());
        let events = self.events.of(partition);
        Ok(User::new(partition.clone(), store, cache, http_cache, events))
    }

    /// Has the applications of a user who is locked away open again with the cache, under their ids: nothing of them is a
    /// secret. One with a credential is opened by whoever has that, and a route may have a proxy's password.
    pub(crate) fn keep_open(&self, partition: Partition, user: &User) {
        let apps = user.apps();
        let definitions = apps.iter().map(|app| app.definition());
        let harmless = definitions.filter(|definition| {
            definition.partition.is_none()
                && definition.credential.is_none()
                && definition.route.is_none()
        });
        let harmless: Vec<_> = harmless.cloned().collect();
        if !harmless.is_empty() {
            self.kept_open().insert(partition, harmless);
        }
    }

    fn kept_open(&self) -> MutexGuard<'_, HashMap<Partition, Vec<Definition>>> {
        self.kept_open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`TokenStore::mark`].
    ///
    /// # Errors
    /// When the store is locked.
    pub async fn mark(&self, credential: &[u8]) -> Result<[u8; 32], Error> {
        Ok(self.ports.store.mark(credential).await?)
    }

    /// Forgets a partition that is nowhere but in memory.
    pub fn forget_in_memory(&self, partition: &Partition) {
        if partition.is_in_memory() {
            self.users.write().unwrap_or_else(PoisonError::into_inner).remove(partition);
        }
    }

    /// Takes a partition out of memory that nobody uses, and with an owner's last one what opens them; the store has all of it,
    /// and gives it back to whoever comes next. False when something of it is under way or cannot be saved: it stays then.
    pub async fn unload(&self, partition: &Partition) -> bool {
        // Nobody may load it, and change it, while an older one is still in the way.
        let _loading = self.loading.lock().await;
        let is_gone = self.take_out(partition).await;
        let owner = partition.owner();
        if is_gone && !self.loaded_users().iter().any(|user| user.is_stored_for(&owner)) {
            self.close_store(&owner).await;
        }
        is_gone
    }

    /// See [`TokenStore::close`].
    pub async fn close_store(&self, user: &Partition) {
        self.ports.store.close(&user.owner()).await;
    }

    async fn take_out(&self, partition: &Partition) -> bool {
        let Some(user) = self.find_user(partition) else { return true };
        if user.save_unsaved().await.is_err() {
            return false;
        }
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever does something for it holds it, as the map and we do.
        let is_idle =
            Arc::strong_count(&user) == 2 && user.open_flows() == 0 && user.unsaved() == 0;
        if is_idle {
            users.remove(partition);
        }
        is_idle
    }

    /// The user's events from now on, through locks as well.
    pub fn subscribe(&self, user: &Partition) -> broadcast::Receiver<Event> {
        self.events.of(user).subscribe()
    }

    /// Requests to providers that are under way, for a shutdown that waits for them.
    pub fn flights_under_way(&self) -> usize {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.values().map(|user| user.flights.under_way()).sum()
    }

    /// Tries once more to save what could not be saved.
    pub async fn save_unsaved(&self) {
        for user in self.loaded_users() {
            if let Err(error) = user.save_unsaved().await {
                tracing::warn!(%error, "changes still cannot be saved");
            }
        }
    }

    pub(crate) fn loaded_users(&self) -> Vec<Arc<User>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A fresh correlation id.
    pub fn new_correlation_id(&self) -> CorrelationId {
        CorrelationId::from_random(self.random())
    }

    /// What time it is for the engine.
    pub fn now(&self) -> UnixTime {
        self.ports.clock.now()
    }

    /// A name that nobody can guess.
    pub fn new_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random::<16>())
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ports.rng.fill(&mut bytes);
        bytes
    }

    /// Sends an application's request, unless the HTTP cache has the answer; it keeps none that repeats a secret, and nobody hears one. `retry_after` of a repeated answer counts from now.
    pub(crate) async fn send(
        &self,
        user: &User,
        app: &ClientApplication,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        if let Some(repeated) = user.http_cache().find(app.route(), &request, self.now()) {
            return Ok(repeated.into_answer());
        }
        let answer = self.ports.http.send(request.clone(), app.route()).await?;
        let changes = user.http_cache().keep(app.route(), &request, &answer, self.now());
        user.save_answers(changes).await;
        Ok(answer.without_echoes_of(&request))
    }

    /// Forgets an answer that could not be read: it must not be repeated for a day.
    pub(crate) async fn forget_answer(
        &self,
        user: &User,
        app: &ClientApplication,
        request: &HttpRequest,
    ) {
        let changes = user.http_cache().forget(app.route(), request);
        user.save_answers(changes).await;
    }
}
