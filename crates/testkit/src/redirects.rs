//! Loopback listeners without sockets: the test plays the browser.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use valetkey_engine::ports::{BoxFuture, ListenError, Listening, Page, Redirect, RedirectListener};
use valetkey_model::Partition;

/// The first port that is given out when any will do: the start of the dynamic range (RFC 6335 section 6).
const FIRST_PORT: u16 = 49152;

/// Hands out ports, and brings redirects to them.
#[derive(Default)]
pub struct FakeRedirects(Mutex<BTreeMap<u16, mpsc::Sender<Redirect>>>);

impl FakeRedirects {
    /// The ports that are open.
    pub fn open_ports(&self) -> Vec<u16> {
        let mut listeners = self.lock();
        listeners.retain(|_, listener| !listener.is_closed());
        listeners.keys().copied().collect()
    }

    /// A browser comes to `port` with these parameters. Resolves to the page that it is shown; to none when nobody listens,
    /// or the connection is closed without an answer.
    pub async fn visit(&self, port: u16, parameters: BTreeMap<String, String>) -> Option<Page> {
        let listener = self.lock().get(&port).cloned()?;
        let (page, shown) = oneshot::channel();
        listener.send(Redirect { parameters, page }).await.ok()?;
        drop(listener);
        shown.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, mpsc::Sender<Redirect>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedirectListener for FakeRedirects {
    fn listen(
        &self,
        port: Option<u16>,
        _user: &Partition,
    ) -> BoxFuture<'_, Result<Listening, ListenError>> {
        Box::pin(async move {
            let taken = self.open_ports();
            let free = (FIRST_PORT..).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT);
            let port = port.unwrap_or(free);
            if taken.contains(&port) {
                return Err(ListenError { port, reason: "address in use".to_owned() });
            }
            let (sender, redirects) = mpsc::channel(1);
            self.lock().insert(port, sender);
            Ok(Listening { port, redirects })
        })
    }
}
