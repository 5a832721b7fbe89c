//! A cached token over the socket, from Rust, beside a bare exchange of the same sizes.

use std::path::Path;

use valetkey_client::{App, Client, Endpoint, blocking};

use crate::daemon::Daemon;
use crate::ping_pong::{Caller, PingPong};
use crate::placement::Placement;
use crate::relay::{self, Exchange};
use crate::stack::Stack;
use crate::stage::{Stage, silent};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, now};

const ROUNDS: usize = 20;
const CALLS: usize = 2_000;
const BUDGET: &str = "p50 at most 1.5 times, p99 at most 3 times the bare exchange";

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for placement in Placement::ALL {
        let name = format!("hit-{placement:?}");
        let others = placement.run(|| Others::start(stage, &name), |others| others.race(stage))?;
        let Some((contest, seen)) = others else {
            rows.push(Row::skipped("silent hit, Rust SDK", BUDGET, "there is one core only"));
            continue;
        };
        let place = placement.describe();
        let sizes = seen.describe();
        rows.push(contest.judge(
            &format!("silent hit, Rust SDK, blocking; {place}; {sizes}"),
            &contest.blocking,
        ));
        rows.push(
            contest.judge(&format!("silent hit, Rust SDK, async; {place}"), &contest.asynchronous),
        );
    }
    Ok(rows)
}

/// The processes that answer.
struct Others {
    daemon: Daemon,
    ping_pong: PingPong,
    _stack: Stack,
    stack_caller: Caller,
    seen: Exchange,
}

impl Others {
    fn start(stage: &Stage, name: &str) -> Outcome<Self> {
        let daemon = stage.start_signed_in(name)?;
        let folder = stage.folder(name)?;
        let seen = observe(stage, daemon.socket(), &folder)?;
        let ping_pong = PingPong::start(&folder.join("ping.sock"), &seen)?;
        let (_stack, stack_caller) = Stack::start(&folder.join("stack.sock"), &seen)?;
        Ok(Self { daemon, ping_pong, _stack, stack_caller, seen })
    }

    /// Everybody in turns.
    fn race(mut self, stage: &Stage) -> Outcome<(Contest, Exchange)> {
        let mut bare = self.ping_pong.connect()?;
        let app = stage.open_app(&self.daemon.client())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::at(self.daemon.endpoint());
        let async_app = runtime.block_on(client.open_app(stage.definition()))?;
        let request = silent();
        let mut contest = Contest::default();
        for _ in 0..ROUNDS {
            contest.bare.0.push(Round::of(CALLS, || bare.call())?);
            contest.blocking.0.push(Round::of(CALLS, || {
                app.acquire_token_silent(&request)?;
                Ok(())
            })?);
            contest.stack.0.push(Round::of(CALLS, || self.stack_caller.call())?);
            contest.asynchronous.0.push(runtime.block_on(async_round(&async_app))?);
        }
        Ok((contest, self.seen))
    }
}

async fn async_round(app: &App) -> Outcome<Round> {
    let request = silent();
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = now();
        app.acquire_token_silent(&request).await?;
        times.push(started.elapsed().as_secs_f64());
    }
    Ok(Round::from_times(times))
}

/// What everybody took.
#[derive(Default)]
struct Contest {
    bare: Rounds,
    stack: Rounds,
    blocking: Rounds,
    asynchronous: Rounds,
}

impl Contest {
    fn judge(&self, what: &str, ours: &Rounds) -> Row {
        let (p50, p99) = (ours.p50_over(&self.bare), ours.p99_over(&self.bare));
        let measured = format!(
            "p50 {} ({p50:.2} times), p99 {} ({p99:.2} times)",
            show(ours.p50()),
            show(ours.p99())
        );
        let beside = format!(
            "bare: p50 {}, p99 {}; axum with a fixed answer: p50 {} ({:.2} times)",
            show(self.bare.p50()),
            show(self.bare.p99()),
            show(self.stack.p50()),
            self.stack.p50_over(&self.bare)
        );
        Row::new(what, BUDGET, measured, beside, p50 <= 1.5 && p99 <= 3.0)
    }
}

/// A hit as this SDK makes it.
pub(crate) fn observe(stage: &Stage, daemon: &Path, folder: &Path) -> Outcome<Exchange> {
    relay::observe(daemon, folder, |socket| {
        let app = stage.open_app(&blocking::Client::at(Endpoint::at(socket)))?;
        app.acquire_token_silent(&silent())?;
        Ok(())
    })
}
