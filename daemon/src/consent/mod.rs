//! What the person says about which program may use which account: what was said (`book.rs`, as it is stored in `record.rs`),
//! and what is being asked (`prompt.rs`). `policy::decide` says when to ask; here the question waits for its answer.
//!
//! A prompt is put to the person by the daemon's side alone: as a notification (`notification.rs`), else in a window
//! (`pinentry.rs`), and `valetkey grants watch` shows what `GET /v1/prompts` lists. However many requests need the same answer, it is asked once.

mod book;
#[cfg(target_os = "linux")]
mod notification;
#[cfg(target_os = "linux")]
mod pinentry;
mod prompt;
mod record;
#[cfg(target_os = "linux")]
mod wording;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, watch};
use valetkey_engine::ports::StoreError;
use valetkey_model::Partition;
use valetkey_policy::{Grant, Word};

pub use self::book::{Answered, Book};
#[cfg(target_os = "linux")]
pub use self::notification::Desktop;
#[cfg(target_os = "linux")]
pub use self::pinentry::{Pinentry, find as find_pinentry};
pub use self::prompt::{Answer, Asking, Prompt};
use crate::shutdown::ShutdownSignal;
use crate::store::VaultStore;

/// Elsewhere nothing starts another program for the daemon.
#[cfg(not(target_os = "linux"))]
pub enum Pinentry {}

#[cfg(not(target_os = "linux"))]
impl Pinentry {
    /// There is no lookout to call this with.
    pub fn new(lookout: crate::hardening::Lookout) -> Self {
        match lookout {}
    }
}

/// None, on this system.
#[cfg(not(target_os = "linux"))]
pub fn find_pinentry(
    _named: Option<&std::path::PathBuf>,
    _lookup: crate::paths::Lookup<'_>,
) -> Option<std::path::PathBuf> {
    None
}

/// The books of all users.
pub struct Consent {
    store: Arc<VaultStore>,
    stop: ShutdownSignal,
    /// Tells those who show prompts that there is another one.
    asked: Arc<watch::Sender<()>>,
    books: Mutex<HashMap<Partition, Arc<Book>>>,
    /// What was refused a while ago, of books that a lock has closed: a program that may lock is not rid of a no by it.
    refusals: Mutex<HashMap<Partition, Vec<Grant>>>,
    /// One load at a time, so that two who come first have the same book.
    loading: AsyncMutex<()>,
}

impl Consent {
    /// Books that are kept in `store`; nobody waits longer than until `stop`.
    pub fn new(store: Arc<VaultStore>, stop: ShutdownSignal) -> Self {
        let (books, refusals, loading) = Default::default();
        Self { store, stop, asked: Arc::default(), books, refusals, loading }
    }

    /// The book of a user.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn book(&self, user: &Partition) -> Result<Arc<Book>, StoreError> {
        if let Some(book) = self.find(user) {
            return Ok(book);
        }
        let _alone = self.loading.lock().await;
        if let Some(book) = self.find(user) {
            return Ok(book);
        }
        let (store, asked) = (Arc::clone(&self.store), Arc::clone(&self.asked));
        let refusals = self.lock_refusals().get(user).cloned().unwrap_or_default();
        let book = Arc::new(Book::load(store, self.stop.clone(), asked, user, refusals).await?);
        self.lock().insert(user.clone(), Arc::clone(&book));
        Ok(book)
    }

    /// Changes whenever somebody, of whatever user, is asked something.
    pub fn asked(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// Forgets all that is not stored, but for what was refused, and has those who wait for an answer ask anew: the store is locked.
    pub fn forget(&self) {
        let closed: Vec<_> = self.lock().drain().collect();
        for (user, book) in closed {
            self.close(user, &book);
        }
    }

    /// The same for one user, who has locked what is theirs.
    pub fn forget_user(&self, user: &Partition) {
        let closed = self.lock().remove(user);
        if let Some(book) = closed {
            self.close(user.clone(), &book);
        }
    }

    /// Takes a user's book out of memory, unless there is something in it that is nowhere else, or somebody reads in it.
    pub fn put_away(&self, user: &Partition) {
        let mut books = self.lock();
        if books.get(user).is_some_and(|book| Arc::strong_count(book) == 1 && book.is_stored()) {
            books.remove(user);
        }
    }

    fn close(&self, user: Partition, book: &Book) {
        let refusals =
            book.grants().iter().filter(|grant| grant.word == Word::No).cloned().collect();
        self.lock_refusals().insert(user, refusals);
        book.close();
    }

    fn lock_refusals(&self) -> MutexGuard<'_, HashMap<Partition, Vec<Grant>>> {
        // Nothing under this lock can panic half-way.
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, user: &Partition) -> Option<Arc<Book>> {
        self.lock().get(user).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Partition, Arc<Book>>> {
        // Nothing under this lock can panic half-way.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
