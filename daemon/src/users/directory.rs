//! Looking users up without waiting for ever: on a thread of its own, and for a while only.
//!
//! A look-up that hangs cannot be ended. Until it ends by itself, no other is begun: it would wait for the same server.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::time::Instant;
use valetkey_model::Partition;

use crate::config::UserName;

/// What the machine knows of users, as far as a configuration has to know it before it is in force.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    is_looking: Arc<AtomicBool>,
}

/// The users whom a configuration names, as they were found.
pub type Found = HashMap<UserName, Partition>;

/// Why a user is not known.
#[derive(Debug, thiserror::Error)]
#[error("the user {user}, who {problem}")]
pub struct LookUpError {
    /// As the configuration names it.
    pub user: UserName,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("is none of this machine's; mend the name, or take it out")]
    Unknown,
    #[error("cannot be looked up: {0}; mend that, or give the number in place of the name")]
    Failed(#[from] io::Error),
    #[error(
        "cannot be looked up: the machine's directory of users does not answer; mend that, or give the number in place of the name"
    )]
    NoAnswer,
}

type Answer = io::Result<Option<Partition>>;

impl Directory {
    /// All of them.
    ///
    /// # Errors
    /// With the first that is not there, or not known in time.
    pub fn find(&self, users: BTreeSet<UserName>) -> Result<Found, LookUpError> {
        self.find_by(users, super::look_up, PATIENCE)
    }

    fn find_by(
        &self,
        users: BTreeSet<UserName>,
        look_up: impl Fn(&UserName) -> Answer + Send + 'static,
        patience: Duration,
    ) -> Result<Found, LookUpError> {
        let Some(first) = users.first().cloned() else { return Ok(Found::new()) };
        let failed = |user, problem: Problem| LookUpError { user, problem };
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return Err(failed(first, Problem::NoAnswer));
        }
        let looking = Looking(Arc::clone(&self.is_looking));
        let (sender, answers) = mpsc::channel();
        let asked = users.clone();
        let work = move || {
            let _looking = looking;
            // Nobody listens any more once one was waited for in vain, or was not found.
            for answer in asked.iter().map(look_up) {
                let is_found = matches!(answer, Ok(Some(_)));
                if sender.send(answer).is_err() || !is_found {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("users".to_owned()).spawn(work);
        let thread = thread.map_err(|error| failed(first, error.into()))?;
        let end = Instant::now() + patience;
        let answer_for = |user: UserName| {
            let left = end.saturating_duration_since(Instant::now());
            match answers.recv_timeout(left) {
                Ok(Ok(Some(partition))) => Ok((user, partition)),
                Ok(Ok(None)) => Err(failed(user, Problem::Unknown)),
                Ok(Err(error)) => Err(failed(user, error.into())),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    Err(failed(user, Problem::NoAnswer))
                }
            }
        };
        let found = users.into_iter().map(answer_for).collect();
        if !matches!(found, Err(LookUpError { problem: Problem::NoAnswer, .. })) {
            // It has said all that it had to say: who asks next must not find it still there.
            let _ = thread.join();
        }
        found
    }
}

/// Held by the thread that looks: it may take longer than anybody waits.
struct Looking(Arc<AtomicBool>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Less than a caller waits for a configuration to be read.
const PATIENCE: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn users(names: &[&str]) -> BTreeSet<UserName> {
        names.iter().map(|name| UserName::Name((*name).to_owned())).collect()
    }

    fn look_up(user: &UserName) -> Answer {
        match user.to_string().as_str() {
            "\"ann\"" => Ok(Some(Partition::of_uid(7))),
            "\"broken\"" => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(None),
        }
    }

    #[test]
    fn who_is_not_found_is_named_with_what_to_do_and_the_next_is_looked_up_at_once() {
        let directory = Directory::default();
        for (names, expected) in [
            (&["ann"][..], None),
            (&[], None),
            (
                &["ann", "nobody-here"],
                Some("the user \"nobody-here\", who is none of this machine's"),
            ),
            (
                &["ann", "broken"],
                Some("the user \"broken\", who cannot be looked up: connection refused"),
            ),
        ] {
            let outcome = directory.find_by(users(names), look_up, PATIENCE);
            match (outcome, expected) {
                (Ok(found), None) => assert_eq!(found.len(), names.len()),
                (Err(error), Some(expected)) => {
                    assert!(error.to_string().starts_with(expected), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_directory_that_hangs_holds_one_thread_and_is_asked_again_when_that_has_ended() {
        let directory = Directory::default();
        let (server, answer) = mpsc::channel::<()>();
        let answer = Mutex::new(answer);
        let hang = move |user: &UserName| {
            let hangs = user.to_string() == "\"zoe\"";
            assert!(!hangs || answer.lock().unwrap().recv().is_err());
            look_up(user)
        };
        let expected = "the user \"zoe\", who cannot be looked up: the machine's directory";
        let moment = Duration::from_millis(20);
        let error = directory.find_by(users(&["zoe"]), hang, moment).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        let asked_again = |_: &UserName| -> Answer { panic!("the first one still hangs") };
        let error = directory.find_by(users(&["ann"]), asked_again, PATIENCE).unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        drop(server);
        while directory.find_by(users(&["ann"]), look_up, PATIENCE).is_err() {
            std::thread::yield_now();
        }
    }
}
