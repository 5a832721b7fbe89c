//! The server's loop: one task for each connection, whose caller is learnt once, and an orderly end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;
use tokio::time::Instant;
use valetkey_engine::ports::BoxFuture;
use valetkey_ipc::{AcceptError, Arrival, Listener, Stream};
use valetkey_model::Caller;

use crate::api::guard;
use crate::session::Session;
use crate::share::{RefusalSeat, Share, Shares, TooMany};
use crate::shutdown::ShutdownSignal;

use self::prompt_heads::{PromptHeads, Turn};

/// Bounds on what callers may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections of one user. A thousand programs that start at once after a login are honest.
    pub connections_per_user: usize,
    /// Open connections of all users together; one who has this daemon alone needs to leave none to others.
    pub connections: Option<usize>,
    /// A connection that has not brought the head of a request for this long is closed. A head that has begun has less time.
    pub idle: Duration,
    /// How long requests may go on after stopping was asked for.
    pub grace: Duration,
}

impl Limits {
    /// Limits that leave the daemon descriptors of its own, when it may have `descriptors` at most: one user's connections
    /// must not keep it from its providers and its disk.
    pub fn within(descriptors: Option<u64>) -> Self {
        let limits = Self::default();
        // A connection is two: itself, and the handle to its process.
        let left = descriptors.map(|all| (all.saturating_sub(OWN_DESCRIPTORS) / 2).max(1));
        let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        Self { connections_per_user: limits.connections_per_user.min(left), ..limits }
    }
}

impl Limits {
    /// The same where others must be served as well: nobody has more than a quarter, nor so many that another one's request
    /// would wait for long behind theirs; and all together have no more than one alone could have.
    #[must_use]
    pub fn among_several(self) -> Self {
        let all = self.connections_per_user;
        Self { connections_per_user: (all / 4).max(1), connections: Some(all), ..self }
    }
}

/// Decides about those whom the listener let in.
pub trait Door: Send + Sync {
    /// Whether the service is known to be for others.
    fn is_known_stranger(&self, caller: &Caller) -> bool;
    /// The answer in the place of all others, where the service is for others.
    fn refuse<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Option<Response<Body>>>;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_user: 4096,
            connections: None,
            idle: Duration::from_secs(120),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves until stopping is asked for, then lets the requests in flight finish, up to [`Limits::grace`].
///
/// Handlers find the [`Session`] as `Extension<Arc<Session>>`. The listener is only borrowed: whoever owns it keeps the
/// endpoint's name until everything is saved.
pub async fn serve(
    listener: &Listener,
    router: Router,
    door: Option<Arc<dyn Door>>,
    mut stop: ShutdownSignal,
    limits: Limits,
) {
    let mut tasks = JoinSet::new();
    let mut users = Shares::new(limits.connections.unwrap_or(usize::MAX));
    let (mut refusals, mut failures) = (Refusals::default(), Refusals::default());
    let signal = stop.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.requested() => break,
            accepted = listener.accept() => accepted,
            // Finished tasks are let go of as they finish.
            Some(_) = tasks.join_next() => continue,
        };
        let arrival = match accepted {
            Ok(arrival) => arrival,
            Err(AcceptError::HungUp) => continue,
            Err(error) => {
                let is_system = matches!(error, AcceptError::Io(_));
                if let Some(refused) = failures.count(Instant::now()) {
                    tracing::warn!(%error, refused, "connection refused");
                }
                if is_system {
                    // Out of descriptors, as a rule; trying again at once would only burn the processor.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        let caller = arrival.caller();
        let is_stranger = door.as_ref().is_some_and(|door| door.is_known_stranger(caller));
        let limit = if is_stranger { OF_A_STRANGER } else { limits.connections_per_user };
        let (share, place) = match users.admit(&caller.partition, limit) {
            Ok(admitted) => admitted,
            Err(TooMany { limit, seat }) => {
                if let Some(refused) = refusals.count(Instant::now()) {
                    tracing::warn!(caller = ?caller.partition, refused, "too many connections of one user");
                }
                if let Some(seat) = seat {
                    tasks.spawn(turn_away(arrival.into_stream(), limit, seat));
                }
                continue;
            }
        };
        let (router, door, stop) = (router.clone(), door.clone(), signal.clone());
        tasks.spawn(async move {
            let _place = place;
            if let Ok((stream, session)) = identify(arrival, share).await {
                serve_connection(stream, session, router, door, stop, limits.idle).await;
            }
        });
    }
    let finish = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, finish).await.is_err() {
        tracing::warn!("requests were still in flight at the end of the grace period");
    }
}

/// Connections that were refused since they were last told of. A program that goes on connecting must not fill the disk
/// with our complaints.
#[derive(Default)]
struct Refusals {
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    /// Counts one more; how many there were when it is time to tell.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < REFUSALS_PAUSE) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Looks at who has connected, one of a user's after the other: whoever connects in a loop keeps their own waiting.
async fn identify(
    arrival: Arrival,
    share: Arc<Share>,
) -> Result<(Stream, Arc<Session>), AcceptError> {
    let turn = share.take_turn_at_the_door().await;
    let (stream, peer) = arrival.identify()?;
    drop(turn);
    Ok((stream, Arc::new(Session::new(peer, share))))
}

/// Says why to one who has too many connections, if that is not too much to ask as well.
async fn turn_away(stream: Stream, limit: usize, _seat: RefusalSeat) {
    let refuse = |_| async move { Ok::<_, Infallible>(guard::refuse_connection(limit)) };
    let connection = http1::Builder::new()
        .keep_alive(false)
        .auto_date_header(false)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service_fn(refuse));
    // Who has not asked by then is not told.
    let _ = tokio::time::timeout(REFUSAL_PATIENCE, connection).await;
}

async fn serve_connection(
    stream: Stream,
    session: Arc<Session>,
    router: Router,
    door: Option<Arc<dyn Door>>,
    mut stop: ShutdownSignal,
    idle: Duration,
) {
    let turn = Turn::default();
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        let at_work = turn.begin();
        request.extensions_mut().insert(Arc::clone(&session));
        let (mut router, door) = (router.clone(), door.as_deref());
        let session = &session;
        async move {
            let _at_work = at_work;
            let refusal = match door {
                Some(door) => door.refuse(session).await,
                None => None,
            };
            Ok::<_, Infallible>(match refusal {
                Some(refusal) => refusal,
                None => guard::answer(&mut router, request).await,
            })
        }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(idle)
            .auto_date_header(false)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(PromptHeads::new(stream, turn.clone())), service)
    );
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = stop.requested() => {
            // Closes at once when no request is in flight, else after its answer.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended");
    }
}

/// How often refused connections are told of.
const REFUSALS_PAUSE: Duration = Duration::from_secs(60);

/// A request's head must fit into this; longer ones are answered with 431. The largest honest head is below 1 KiB.
const HEAD_LIMIT: usize = 64 * 1024;

/// A local client has sent its request by then, and has read the answer.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);

/// Enough to be told why.
const OF_A_STRANGER: usize = 8;

/// For providers, redirect listeners, the store, and connections that are being refused.
const OWN_DESCRIPTORS: u64 = 64;

mod prompt_heads;

#[cfg(test)]
mod tests;
