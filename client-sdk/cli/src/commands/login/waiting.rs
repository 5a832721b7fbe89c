//! Waiting for the person, who may give up: Ctrl-C, or closing the terminal, cancels the flow, and leaves the sign-in to others
//! who take part in it.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use valetkey_client::blocking::Client;
use valetkey_client::v1::{ErrorCode, Flow, FlowState, TokenResponse};

use crate::console::Console;
use crate::failure::{FAILED, Failure, INTERRUPTED};
use crate::spinner::Spinner;

/// True in it once the person has given up. The wait then ends since the flow does, or the process ends at once.
pub(super) fn cancel_on_interrupt(client: &Client, flow: &Flow) -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (client, flow, seen) = (client.clone(), flow.clone(), Arc::clone(&interrupted));
    let handler = move || {
        let is_first = !seen.swap(true, Ordering::SeqCst);
        if !is_first || client.cancel_flow(&flow.flow).is_err() {
            process::exit(INTERRUPTED.into());
        }
    };
    // Without a handler Ctrl-C ends the process, and the flow ends later by itself.
    let _ = ctrlc::set_handler(handler);
    interrupted
}

/// The token of the flow, when the person is done.
pub(super) fn finish(
    client: &Client,
    flow: Flow,
    interrupted: &AtomicBool,
    timeout: Option<u32>,
    console: &Console,
) -> Result<TokenResponse, Failure> {
    let spinner = Spinner::start(console, "waiting for the sign-in");
    let ended = wait(client, flow, timeout);
    drop(spinner);
    if interrupted.load(Ordering::SeqCst) {
        let what = "the sign-in was cancelled".to_owned();
        return Err(Failure::own("interrupted", INTERRUPTED, what, ""));
    }
    // The daemon counts too, and may be first.
    client.finish_flow(ended?).map_err(|error| match error.is(ErrorCode::FlowTimedOut) {
        true => timed_out(),
        false => error.into(),
    })
}

fn timed_out() -> Failure {
    let what = "nobody finished the sign-in in time".to_owned();
    let next = "run it again; `--timeout` gives more time";
    Failure::own(ErrorCode::FlowTimedOut.as_str(), FAILED, what, next)
}

fn wait(client: &Client, mut flow: Flow, timeout: Option<u32>) -> Result<Flow, Failure> {
    let deadline = timeout.map(|seconds| now() + Duration::from_secs(seconds.into()));
    while flow.state == FlowState::Pending {
        let left =
            deadline.map_or(LONGEST_WAIT, |deadline| deadline.saturating_duration_since(now()));
        if left.is_zero() {
            give_up(client, &flow);
            return Err(timed_out());
        }
        flow = client.poll_flow(&flow.flow, left.min(LONGEST_WAIT))?;
    }
    Ok(flow)
}

#[expect(clippy::disallowed_methods, reason = "a person at a terminal waits in real time")]
fn now() -> Instant {
    Instant::now()
}

fn give_up(client: &Client, flow: &Flow) {
    // It ends by itself too, only later.
    let _ = client.cancel_flow(&flow.flow);
}

const LONGEST_WAIT: Duration = Duration::from_secs(30);
