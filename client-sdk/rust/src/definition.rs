//! What defines an application, what the daemon made of it, and how it proves itself when the program does that.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{App, ClientKind, ErrorCode, OpenAppRequest, SecretText};

use crate::call::Call;
use crate::error::Error;

/// What the daemon needs an assertion for (RFC 7523 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssertionNeeded {
    /// Whom it speaks for.
    pub client_id: String,
    /// Whom it is for.
    pub token_endpoint: String,
    /// Entra's `fmi_path`, if the request has one.
    pub fmi_path: Option<String>,
}

pub(crate) type MakeAssertion = Box<dyn Fn(&AssertionNeeded) -> String + Send + Sync>;

/// How to open an application.
pub(crate) struct Opening {
    pub(crate) key: OpeningKey,
    pub(crate) request: OpenAppRequest,
    pub(crate) make_assertion: Option<MakeAssertion>,
}

/// By what a connection remembers that an application was opened over it; each handle of this process has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OpeningKey(u64);

impl Opening {
    pub(crate) fn new(request: OpenAppRequest, make_assertion: Option<MakeAssertion>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let key = OpeningKey(LAST.fetch_add(1, Ordering::Relaxed));
        Self { key, request, make_assertion }
    }

    pub(crate) fn call(&self) -> Call<App> {
        Call::post(route::APPS, &self.request).repeatable()
    }
}

/// An application that is open, or was.
pub(crate) struct Definition {
    /// None for a handle on an application that somebody else defined.
    opening: Option<Opening>,
    opened: Mutex<Arc<App>>,
}

impl Definition {
    pub(crate) fn new(opening: Option<Opening>, opened: App) -> Arc<Self> {
        Arc::new(Self { opening, opened: Mutex::new(Arc::new(opened)) })
    }

    pub(crate) fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    pub(crate) fn opened(&self) -> Arc<App> {
        Arc::clone(&self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The id stays as it is, unless a configuration defines its name otherwise by now.
    pub(crate) fn reopened(&self, opened: App) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
    }

    /// What has to be done first over a connection on which it was not done yet: the daemon lets nobody use a credential or
    /// a cache by the application's id alone.
    pub(crate) fn opening_of_each_connection(&self) -> Option<&Opening> {
        let is_shared = |opening: &Opening| {
            self.opened().kind == ClientKind::Public && opening.request.private_cache.is_none()
        };
        self.opening.as_ref().filter(|opening| !is_shared(opening))
    }

    /// The assertion that the daemon asks for, if the program makes them.
    pub(crate) fn answer<T>(&self, outcome: &Result<T, Error>) -> Option<SecretText> {
        let error = outcome.as_ref().err()?;
        let make = self.opening.as_ref()?.make_assertion.as_ref()?;
        let body = error.body().filter(|_| error.is(ErrorCode::ClientAssertionNeeded))?;
        let text = |name: &str| body.others.get(name)?.as_str().map(str::to_owned);
        Some(SecretText(make(&AssertionNeeded {
            client_id: text("client_id").unwrap_or_default(),
            token_endpoint: text("token_endpoint").unwrap_or_default(),
            fmi_path: text("fmi_path"),
        })))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Definition").field(&self.opened()).finish()
    }
}
