//! Work with files, which may hang as a network mount does: off the runtime, a few at a time, and waited for a while only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What is under way, by what it is for.
#[derive(Clone, Default)]
pub struct FileWork(Arc<Mutex<HashMap<String, usize>>>);

/// Why it was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileWorkError {
    /// A network mount whose server is gone, perhaps.
    #[error("the file system does not answer")]
    NoAnswer,
    /// It would wait for the same file system with them.
    #[error("as many files as may be are waited for already")]
    TooMany,
    /// A defect.
    #[error("reading it died")]
    Died,
}

/// Held by the thread that works: it may take longer than anybody waits.
struct Place {
    work: FileWork,
    name: String,
}

impl FileWork {
    /// Does something for `name`, which keeps no other name from being worked for.
    ///
    /// # Errors
    /// When it takes too long, or too much is under way.
    pub async fn perform<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FileWorkError> {
        let place = self.enter(name).ok_or(FileWorkError::TooMany)?;
        let working = spawn_blocking(move || {
            let _place = place;
            work()
        });
        match timeout(PATIENCE, working).await {
            Ok(done) => done.map_err(|_| FileWorkError::Died),
            Err(_) => Err(FileWorkError::NoAnswer),
        }
    }

    fn enter(&self, name: &str) -> Option<Place> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.values().sum::<usize>() >= MOST {
            return None;
        }
        let of_name = under_way.entry(name.to_owned()).or_default();
        (*of_name < MOST_OF_ONE).then(|| {
            *of_name += 1;
            Place { work: self.clone(), name: name.to_owned() }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.work.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_name) = under_way.get_mut(&self.name) {
            *of_name -= 1;
        }
        under_way.retain(|_, of_name| *of_name > 0);
    }
}

/// How long a file on this machine could take at the most.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many threads may hang.
const MOST: usize = 64;

/// How many of them for one name.
const MOST_OF_ONE: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A file system that answers when the sender is dropped.
    fn hang() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (sender, receiver) = mpsc::channel();
        (sender, move || assert!(receiver.recv().is_err()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_costs_a_few_threads_and_keeps_nobody_else_waiting() {
        let work = FileWork::default();
        let mut servers = Vec::new();
        for _ in 0..MOST_OF_ONE {
            let (server, hanging) = hang();
            servers.push(server);
            let waiting = work.perform("mail", hanging);
            let (outcome, ()) = tokio::join!(waiting, tokio::time::advance(PATIENCE));
            assert_eq!(outcome, Err(FileWorkError::NoAnswer));
        }
        assert_eq!(work.perform("mail", || ()).await, Err(FileWorkError::TooMany));
        assert_eq!(work.perform("post", || 7).await, Ok(7));
        drop(servers);
        while work.perform("mail", || ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn there_is_a_limit_for_all_names_together() {
        let work = FileWork::default();
        let enter = |number: usize| work.enter(&(number % (MOST / MOST_OF_ONE)).to_string());
        let held: Vec<_> = (0..MOST).map(|number| enter(number).unwrap()).collect();
        assert!(work.enter("another").is_none());
        drop(held);
        assert!(work.enter("another").is_some());
    }
}
