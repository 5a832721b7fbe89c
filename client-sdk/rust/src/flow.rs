//! `POST /v1/apps/{app}/flows`, `GET` and `DELETE /v1/flows/{flow}`, `POST /v1/flows/{flow}/complete`: a person signs in.
//!
//! The daemon does the work (it polls for a device code, it listens for a redirect); the application shows what the
//! person needs, or opens the browser, and waits. One that was `joined` has its page open already: do not open it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use valetkey_proto::v1::paths::{MAX_WAIT_SECONDS, route};
use valetkey_proto::v1::{CompleteFlowRequest, Flow, FlowState, StartFlowRequest, TokenResponse};

use crate::app::{App, BlockingApp};
use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::definition::Definition;
use crate::error::Error;
use crate::http1::fill;
use crate::talk::Errand;

impl App {
    /// Starts a flow, or joins the one that is open for the same sign-in.
    ///
    /// # Errors
    /// When the request is not acceptable, or the provider cannot be asked.
    pub async fn start_flow(&self, request: &StartFlowRequest) -> Result<Flow, Error> {
        let flow = self.call(|app| start(app, request)).await?;
        self.client.flows().add(&flow, &self.definition);
        Ok(flow)
    }
}

impl Client {
    /// Where a flow stands; answers when it has ended, else after `wait`, of which the daemon allows a minute.
    ///
    /// # Errors
    /// `unknown_flow` when it ended long ago, or before the daemon was started.
    pub async fn poll_flow(&self, flow: &str, wait: Duration) -> Result<Flow, Error> {
        self.call_of_flow(flow, &|| poll(flow, wait)).await
    }

    /// Waits for the end of a flow, however long the person takes.
    ///
    /// Dropped before that, it cancels the flow in a task of its own; a program that is about to end awaits
    /// [`Client::cancel_flow`] as well, since its runtime may not come to that task any more.
    ///
    /// # Errors
    /// Why the sign-in failed, as [`Error::Refused`].
    pub async fn finish_flow(&self, flow: Flow) -> Result<TokenResponse, Error> {
        let mut guard = CancelOnDrop::of(self, &flow);
        let ended = self.wait_for_end(flow).await;
        guard.0 = None;
        outcome(ended?)
    }

    async fn wait_for_end(&self, mut flow: Flow) -> Result<Flow, Error> {
        while flow.state == FlowState::Pending {
            flow = self.poll_flow(&flow.flow, LONGEST_WAIT).await?;
        }
        Ok(flow)
    }

    /// Hands in the parameters of a redirect that the application received itself (`auth_code`).
    ///
    /// # Errors
    /// When they are not this flow's.
    pub async fn complete_flow(
        &self,
        flow: &str,
        request: &CompleteFlowRequest,
    ) -> Result<Flow, Error> {
        let outcome = self.call_of_flow(flow, &|| complete(flow, request)).await;
        let assertion = self.flows().find(flow).and_then(|app| app.answer(&outcome));
        let Some(client_assertion) = assertion else { return outcome };
        let client_assertion = Some(client_assertion);
        let request = CompleteFlowRequest { client_assertion, ..request.clone() };
        self.call_of_flow(flow, &|| complete(flow, &request)).await
    }

    /// Cancels a flow for this caller. The sign-in goes on for others who joined it, or whom this one joined.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn cancel_flow(&self, flow: &str) -> Result<(), Error> {
        self.call_of_flow(flow, &|| cancel(flow)).await
    }

    /// A flow of an application that is opened over each connection is known there alone where it is open.
    async fn call_of_flow<T: DeserializeOwned>(
        &self,
        flow: &str,
        build: &(dyn Fn() -> Call<T> + Sync),
    ) -> Result<T, Error> {
        match self.flows().find(flow) {
            Some(app) => self.run(&Errand::OfApp(&app, &|_: &str| build())).await,
            None => self.call(build()).await,
        }
    }
}

impl BlockingApp {
    /// As [`App::start_flow`].
    ///
    /// # Errors
    /// When the request is not acceptable, or the provider cannot be asked.
    pub fn start_flow(&self, request: &StartFlowRequest) -> Result<Flow, Error> {
        let flow = self.call(|app| start(app, request))?;
        self.client.flows().add(&flow, &self.definition);
        Ok(flow)
    }
}

impl blocking::Client {
    /// As [`Client::poll_flow`].
    ///
    /// # Errors
    /// `unknown_flow` when it ended long ago, or before the daemon was started.
    pub fn poll_flow(&self, flow: &str, wait: Duration) -> Result<Flow, Error> {
        self.call_of_flow(flow, &|| poll(flow, wait))
    }

    /// As [`Client::finish_flow`].
    ///
    /// # Errors
    /// Why the sign-in failed, as [`Error::Refused`].
    pub fn finish_flow(&self, mut flow: Flow) -> Result<TokenResponse, Error> {
        while flow.state == FlowState::Pending {
            flow = self.poll_flow(&flow.flow, LONGEST_WAIT)?;
        }
        outcome(flow)
    }

    /// As [`Client::complete_flow`].
    ///
    /// # Errors
    /// When they are not this flow's.
    pub fn complete_flow(&self, flow: &str, request: &CompleteFlowRequest) -> Result<Flow, Error> {
        let outcome = self.call_of_flow(flow, &|| complete(flow, request));
        let assertion = self.flows().find(flow).and_then(|app| app.answer(&outcome));
        let Some(client_assertion) = assertion else { return outcome };
        let client_assertion = Some(client_assertion);
        let request = CompleteFlowRequest { client_assertion, ..request.clone() };
        self.call_of_flow(flow, &|| complete(flow, &request))
    }

    /// As [`Client::cancel_flow`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn cancel_flow(&self, flow: &str) -> Result<(), Error> {
        self.call_of_flow(flow, &|| cancel(flow))
    }

    fn call_of_flow<T: DeserializeOwned>(
        &self,
        flow: &str,
        build: &(dyn Fn() -> Call<T> + Sync),
    ) -> Result<T, Error> {
        match self.flows().find(flow) {
            Some(app) => self.run(&Errand::OfApp(&app, &|_: &str| build())),
            None => self.call(build()),
        }
    }
}

/// The flows of applications that are opened over each connection, for as long as a handle on their application is held: the
/// last of them, since people abandon sign-ins and nobody tells.
#[derive(Default)]
pub(crate) struct Flows(Mutex<VecDeque<(String, Weak<Definition>)>>);

impl Flows {
    fn add(&self, flow: &Flow, app: &Arc<Definition>) {
        if app.opening_of_each_connection().is_none() {
            return;
        }
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flows.len() == MAX_FLOWS {
            flows.pop_front();
        }
        flows.push_back((flow.flow.clone(), Arc::downgrade(app)));
    }

    fn find(&self, flow: &str) -> Option<Arc<Definition>> {
        let flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flows.iter().find(|(known, _)| known == flow).and_then(|(_, app)| app.upgrade())
    }
}

/// Cancels a flow that nobody waits for any more, unless emptied before.
struct CancelOnDrop(Option<(Handle, Client, String)>);

impl CancelOnDrop {
    fn of(client: &Client, flow: &Flow) -> Self {
        let runtime = Handle::try_current().ok();
        Self(runtime.map(|runtime| (runtime, client.clone(), flow.flow.clone())))
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some((runtime, client, flow)) = self.0.take() {
            // Nobody is left to hear of a failure, and the flow ends by itself too, only later.
            runtime.spawn(async move { client.cancel_flow(&flow).await });
        }
    }
}

/// The result of a flow that has ended.
///
/// # Errors
/// Why the sign-in failed.
pub(crate) fn outcome(flow: Flow) -> Result<TokenResponse, Error> {
    match (flow.result, flow.error) {
        (Some(result), _) => Ok(result),
        (None, error) => Err(Error::refused(FAILED, error.unwrap_or_default())),
    }
}

fn start(app: &str, request: &StartFlowRequest) -> Call<Flow> {
    Call::post(&fill(route::FLOWS, &[app]), request)
}

fn poll(flow: &str, wait: Duration) -> Call<Flow> {
    let wait = wait.min(LONGEST_WAIT).as_secs_f64();
    Call::get(&format!("{}?wait={wait}", fill(route::FLOW, &[flow])))
}

fn complete(flow: &str, request: &CompleteFlowRequest) -> Call<Flow> {
    Call::post(&fill(route::COMPLETE, &[flow]), request)
}

fn cancel(flow: &str) -> Call<()> {
    Call::delete(&fill(route::FLOW, &[flow]))
}

/// More than one user may have open.
const MAX_FLOWS: usize = 1024;

const LONGEST_WAIT: Duration = Duration::from_secs(MAX_WAIT_SECONDS);

/// The flow itself was answered with 200; 409 is what goes with an ended sign-in.
const FAILED: u16 = 409;
