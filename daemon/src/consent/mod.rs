//! What the person says about which program may use which account: what was said (`book.rs`, as it is stored in `record.rs`),
//! and what is being asked (`prompt.rs`). `policy::decide` says when to ask; here the question waits for its answer.
//!
//! A prompt is put to the person by the daemon's side alone: `valetkey grants watch` shows what `GET /v1/prompts` lists. However
//! many requests need the same answer, it is asked once.

mod book;
mod prompt;
mod record;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use valetkey_engine::ports::StoreError;
use valetkey_model::Partition;

pub use self::book::{Answered, Book};
pub use self::prompt::{Answer, Asking, Prompt};
use crate::shutdown::ShutdownSignal;
use crate::store::VaultStore;

/// The books of all users.
pub struct Consent {
    store: Arc<VaultStore>,
    stop: ShutdownSignal,
    books: Mutex<HashMap<Partition, Arc<Book>>>,
    /// One load at a time, so that two who come first have the same book.
    loading: AsyncMutex<()>,
}

impl Consent {
    /// Books that are kept in `store`; nobody waits longer than until `stop`.
    pub fn new(store: Arc<VaultStore>, stop: ShutdownSignal) -> Self {
        Self { store, stop, books: Mutex::default(), loading: AsyncMutex::default() }
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
        let book = Arc::new(Book::load(Arc::clone(&self.store), self.stop.clone(), user).await?);
        self.lock().insert(user.clone(), Arc::clone(&book));
        Ok(book)
    }

    /// Forgets all that is not stored, and has those who wait for an answer ask anew: the store is locked.
    pub fn forget(&self) {
        for (_, book) in self.lock().drain() {
            book.close();
        }
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
