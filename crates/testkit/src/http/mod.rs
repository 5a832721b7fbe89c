//! HTTP without a network: providers in memory, answers that a test scripts, and a look at what was sent.

mod message;
pub mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_engine::Route;
use valetkey_engine::ports::{BoxFuture, HttpClient, TransportError};
use valetkey_oauth::{HttpRequest, HttpResponse};

pub use self::message::{On, Reply, html, json, status, text};
use crate::gate::Gate;

/// Whoever answers for a host.
pub trait Host: Send + Sync {
    /// The answer to one request.
    fn answer(&self, request: &HttpRequest) -> HttpResponse;
}

/// Answers from hosts in memory, unless a script says otherwise; a host that is not there cannot be connected to.
#[derive(Default)]
pub struct FakeHttp(Mutex<State>);

#[derive(Default)]
struct State {
    hosts: HashMap<String, Arc<dyn Host>>,
    scripts: Vec<Script>,
    holds: Vec<(On, Arc<Gate>)>,
    requests: Vec<HttpRequest>,
    /// Of each request.
    routes: Vec<Option<Arc<Route>>>,
    being_redeemed: Vec<String>,
    clashes: usize,
}

struct Script {
    on: On,
    reply: Reply,
    left: Option<usize>,
}

impl FakeHttp {
    /// Puts a host on the network, named as in a URL: `host` or `host:port`.
    pub fn add_host(&self, name: &str, host: Arc<dyn Host>) {
        self.lock().hosts.insert(name.to_owned(), host);
    }

    /// Answers like this from now on; the script that came last goes first.
    pub fn script(&self, on: On, reply: Reply) {
        self.lock().scripts.push(Script { on, reply, left: None });
    }

    /// Answers like this once, then as before.
    pub fn script_once(&self, on: On, reply: Reply) {
        self.lock().scripts.push(Script { on, reply, left: Some(1) });
    }

    /// The hosts answer for themselves again.
    pub fn forget_scripts(&self) {
        self.lock().scripts.clear();
    }

    /// Holds answers back while the gate is closed, as it is at first. The host has acted on the request by then.
    pub fn hold(&self, on: On) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        gate.close();
        self.lock().holds.push((on, Arc::clone(&gate)));
        gate
    }

    /// The requests so far.
    pub fn requests(&self, on: &On) -> Vec<HttpRequest> {
        self.lock().requests.iter().filter(|request| on.is_met_by(request)).cloned().collect()
    }

    /// Which way the requests went.
    pub fn routes(&self, on: &On) -> Vec<Option<Arc<Route>>> {
        let state = self.lock();
        let sent = state.requests.iter().zip(&state.routes);
        sent.filter(|(request, _)| on.is_met_by(request)).map(|(_, route)| route.clone()).collect()
    }

    /// How many requests there were so far.
    pub fn count(&self, on: &On) -> usize {
        self.requests(on).len()
    }

    /// How often a refresh token was sent while an answer for it was still on its way.
    pub fn clashes(&self) -> usize {
        self.lock().clashes
    }

    fn receive(
        &self,
        request: &HttpRequest,
        route: Option<&Arc<Route>>,
    ) -> (Reply, Option<Arc<Gate>>) {
        let mut state = self.lock();
        state.requests.push(request.clone());
        state.routes.push(route.cloned());
        let scripted = state.take_script(request);
        let host = state.hosts.get(request.url.authority()).cloned();
        let mut holds = state.holds.iter().filter(|(on, _)| on.is_met_by(request));
        let gate = holds.next_back().map(|(_, gate)| Arc::clone(gate));
        drop(state);
        let reply = match (scripted, host) {
            (Some(reply @ (Reply::Answer(_) | Reply::Fails(_))), _) => reply,
            (Some(Reply::Lost), Some(host)) => {
                host.answer(request);
                Reply::Fails(interrupted(request))
            }
            (None, Some(host)) => Reply::Answer(host.answer(request)),
            (_, None) => Reply::Fails(unreachable(request)),
        };
        (reply, gate)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_script(&mut self, request: &HttpRequest) -> Option<Reply> {
        let index = self.scripts.iter().rposition(|script| script.on.is_met_by(request))?;
        let script = &mut self.scripts[index];
        let reply = script.reply.clone();
        script.left = script.left.map(|left| left - 1);
        if script.left == Some(0) {
            self.scripts.remove(index);
        }
        Some(reply)
    }
}

impl HttpClient for FakeHttp {
    fn send<'a>(
        &'a self,
        request: HttpRequest,
        route: Option<&'a Arc<Route>>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let _redemption = Redemption::begin(self, &request);
            let (reply, gate) = self.receive(&request, route);
            if let Some(gate) = gate {
                gate.pass().await;
            }
            match reply {
                Reply::Answer(answer) => Ok(answer),
                Reply::Fails(error) => Err(error),
                Reply::Lost => Err(interrupted(&request)),
            }
        })
    }
}

/// A refresh token on its way; two of the same at once are a clash.
struct Redemption<'a> {
    http: &'a FakeHttp,
    token: Option<String>,
}

impl<'a> Redemption<'a> {
    fn begin(http: &'a FakeHttp, request: &HttpRequest) -> Self {
        let token = request.form_value("refresh_token").map(str::to_owned);
        let mut state = http.lock();
        if let Some(token) = &token {
            state.clashes += usize::from(state.being_redeemed.contains(token));
            state.being_redeemed.push(token.clone());
        }
        Self { http, token }
    }
}

impl Drop for Redemption<'_> {
    fn drop(&mut self) {
        let mut state = self.http.lock();
        let index =
            state.being_redeemed.iter().position(|token| Some(token) == self.token.as_ref());
        if let Some(index) = index {
            state.being_redeemed.swap_remove(index);
        }
    }
}

fn host_of(request: &HttpRequest) -> String {
    request.url.authority().to_owned()
}

fn unreachable(request: &HttpRequest) -> TransportError {
    TransportError::Connect { host: host_of(request), reason: "no route".to_owned() }
}

fn interrupted(request: &HttpRequest) -> TransportError {
    TransportError::Interrupted { host: host_of(request), reason: "reset by peer".to_owned() }
}
