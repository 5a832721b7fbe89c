//! What the engine needs from the outside world, as small traits. The daemon implements them on real sockets, clocks and
//! disks; the testkit on values.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use valetkey_cache::{Change, Entry};
use valetkey_model::{Partition, Secret, UnixTime};
use valetkey_oauth::{HttpRequest, HttpResponse, Thumbprint};

use crate::route::Route;

/// A boxed future, so that the traits can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests to providers. Follows no redirect (a redirected token request would carry secrets to another host),
/// verifies TLS, limits the answer's size, and gives up after a while.
pub trait HttpClient: Send + Sync {
    /// The answer, whatever its status. Without a route the request goes the usual way.
    fn send<'a>(
        &'a self,
        request: HttpRequest,
        route: Option<&'a Arc<Route>>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>>;
}

/// Why there is no answer. The text names the step that failed, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent: name, route, proxy or TLS.
    #[error("connect to {host}: {reason}")]
    Connect {
        /// The host that was asked for.
        host: String,
        /// The step that failed.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {host} within {seconds} s")]
    TimedOut {
        /// The host that was asked.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// The connection broke while the answer was on its way; the provider may have acted on the request.
    #[error("connection to {host} broke: {reason}")]
    Interrupted {
        /// The host that was asked.
        host: String,
        /// How it broke.
        reason: String,
    },
    /// The answer is larger than any honest one.
    #[error("answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host that was asked.
        host: String,
        /// The limit.
        limit: usize,
    },
}

/// What gives managed identities to the programs of the machine: endpoints on it or next to it, and key files.
pub trait Machine: Send + Sync {
    /// As [`HttpClient::send`], but through no proxy, and with little patience for who is not there. With a `pin`, nobody but
    /// the server with that certificate gets anything, and nobody else need vouch for it.
    fn send(
        &self,
        request: HttpRequest,
        pin: Option<Thumbprint>,
    ) -> BoxFuture<'_, Result<HttpResponse, TransportError>>;
    /// What is in a key file of Azure Arc's agent: a regular file and no link to one, of no more than
    /// [`valetkey_oauth::ARC_KEY_FILE_LIMIT`] bytes.
    fn read_key_file<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Secret, KeyFileError>>;
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the key file {path} of Azure Arc: {reason}")]
pub struct KeyFileError {
    /// Which file.
    pub path: String,
    /// The system's words, or what is wrong with the file.
    pub reason: String,
}

/// Wall-clock time, and waiting for it to pass.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> UnixTime;
    /// Resolves when `duration` has passed; time asleep with the machine counts.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// Cryptographically secure randomness.
pub trait Rng: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Keeps cache entries for good.
pub trait TokenStore: Send + Sync {
    /// All entries of a partition; called once for each, when it is first used.
    fn load<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;
    /// Resolves when the changes are on disk, all of them or none.
    fn save<'a>(
        &'a self,
        partition: &'a Partition,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// A keyed hash that this store alone can make, the same for ever: it tells whether two credentials are one, and nothing
    /// about them.
    fn mark<'a>(&'a self, credential: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], StoreError>>;
    /// Notes that a refresh token is about to be presented. True if it was noted before and not settled since: an answer was
    /// lost, on its way or with the process. A note outlives the process and need not outlive the machine, and where it
    /// cannot be made there is none: it is no part of what keeps tokens, and says why one is lost.
    fn note_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, bool>;
    /// Forgets the note: the answer is saved, or none was given.
    fn settle_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, ()>;
    /// Drops from memory what opens an owner's partitions, until one of them is loaded or saved: nothing of the owner's is in
    /// memory any more.
    fn close<'a>(&'a self, owner: &'a Partition) -> BoxFuture<'a, ()>;
}

/// The store of what is never stored.
pub(crate) struct Nowhere;

impl TokenStore for Nowhere {
    fn load<'a>(&'a self, _: &'a Partition) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn save<'a>(
        &'a self,
        _: &'a Partition,
        _: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn mark<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable("nothing is stored here".to_owned())) })
    }

    fn note_presented<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }

    fn settle_presented<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn close<'a>(&'a self, _: &'a Partition) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// Why the store did not do it. What was stored before is untouched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It waits for a passphrase, or its keyring is locked.
    #[error("store is locked: {0}")]
    Locked(String),
    /// Disk full, read-only, or worse; may go away by itself.
    #[error("store cannot be written: {0}")]
    Unavailable(String),
}

/// Opens loopback listeners for redirects (RFC 8252 section 7.3).
pub trait RedirectListener: Send + Sync {
    /// Listens on 127.0.0.1 and `[::1]` alone, on `port` or any free one, until the returned value is dropped. It is this
    /// user's browser that is waited for.
    fn listen(
        &self,
        port: Option<u16>,
        user: &Partition,
    ) -> BoxFuture<'_, Result<Listening, ListenError>>;
}

/// An open loopback listener.
pub struct Listening {
    /// The port, for the redirect URI.
    pub port: u16,
    /// Redirects as they come in; dropping it closes the port.
    pub redirects: mpsc::Receiver<Redirect>,
}

/// A browser that came back from the provider and waits for a page.
pub struct Redirect {
    /// The parameters, of the query or of the posted form.
    pub parameters: BTreeMap<String, String>,
    /// What to show the person.
    pub page: oneshot::Sender<Page>,
}

/// The page that ends a sign-in in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Signed in; the window can be closed.
    SignedIn,
    /// The provider, or a check, refused; with the reason for the person.
    Refused(String),
    /// This redirect belongs to no open sign-in.
    Stale,
}

/// Why no listener could be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("listen on loopback port {port}: {reason}")]
pub struct ListenError {
    /// The port that was asked for; 0 for any.
    pub port: u16,
    /// The system's words.
    pub reason: String,
}
