//! The machine that an engine runs on: its token endpoints are hosts on the fake network, its key files are values.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use valetkey_engine::ports::{BoxFuture, HttpClient, KeyFileError, Machine, TransportError};
use valetkey_model::Secret;
use valetkey_oauth::{HttpRequest, HttpResponse, Thumbprint};

use crate::http::FakeHttp;

/// A machine in memory.
pub struct FakeMachine {
    http: Arc<FakeHttp>,
    key_files: Mutex<HashMap<String, String>>,
    pins: Mutex<Vec<Option<Thumbprint>>>,
}

impl FakeMachine {
    /// A machine on this network, without any key files.
    pub fn on(http: &Arc<FakeHttp>) -> Self {
        Self { http: Arc::clone(http), key_files: Mutex::default(), pins: Mutex::default() }
    }

    /// Puts a key file of Azure Arc's in its place.
    pub fn add_key_file(&self, path: &str, key: &str) {
        let mut files = self.key_files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), key.to_owned());
    }

    /// Whose certificate was asked for by each request so far.
    pub fn pins(&self) -> Vec<Option<Thumbprint>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Machine for FakeMachine {
    fn send(
        &self,
        request: HttpRequest,
        pin: Option<Thumbprint>,
    ) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).push(pin);
        HttpClient::send(&*self.http, request, None)
    }

    fn read_key_file<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Secret, KeyFileError>> {
        let files = self.key_files.lock().unwrap_or_else(PoisonError::into_inner);
        let key = files.get(path).map(|key| Secret::new(key.clone()));
        let missing = || KeyFileError { path: path.to_owned(), reason: "no such file".to_owned() };
        Box::pin(async move { key.ok_or_else(missing) })
    }
}
