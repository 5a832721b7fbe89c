//! The power of an engine: a kill switches it off.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;
use valetkey_cache::{Change, Entry};
use valetkey_engine::Route;
use valetkey_engine::ports::{BoxFuture, HttpClient, StoreError, TokenStore, TransportError};
use valetkey_model::{Partition, Secret};
use valetkey_oauth::{HttpRequest, HttpResponse};

use crate::http::FakeHttp;
use crate::store::MemoryStore;

/// What an engine holds of the world; when it is killed, nothing that it began goes on.
pub(crate) struct Powered<T> {
    inner: Arc<T>,
    power: watch::Receiver<bool>,
}

impl<T> Powered<T> {
    pub(crate) fn new(inner: &Arc<T>, power: &watch::Sender<bool>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), power: power.subscribe() })
    }

    async fn while_on<R>(&self, work: impl Future<Output = R>) -> R {
        let mut power = self.power.clone();
        let power_failure = async {
            let _ = power.wait_for(|is_on| !is_on).await;
        };
        tokio::select! {
            biased;
            () = power_failure => pending().await,
            outcome = work => outcome,
        }
    }
}

impl HttpClient for Powered<FakeHttp> {
    fn send<'a>(
        &'a self,
        request: HttpRequest,
        route: Option<&'a Arc<Route>>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.while_on(self.inner.send(request, route)))
    }
}

impl TokenStore for Powered<MemoryStore> {
    fn load<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.while_on(self.inner.load(partition)))
    }

    fn save<'a>(
        &'a self,
        partition: &'a Partition,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.while_on(self.inner.save(partition, changes)))
    }

    fn mark<'a>(&'a self, credential: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], StoreError>> {
        Box::pin(self.while_on(self.inner.mark(credential)))
    }

    fn note_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, bool> {
        Box::pin(self.while_on(self.inner.note_presented(refresh_token)))
    }

    fn settle_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, ()> {
        Box::pin(self.while_on(async { self.inner.settle_presented(refresh_token).await }))
    }

    fn close<'a>(&'a self, owner: &'a Partition) -> BoxFuture<'a, ()> {
        Box::pin(self.while_on(async { self.inner.close(owner).await }))
    }
}
