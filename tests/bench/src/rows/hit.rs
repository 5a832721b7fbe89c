//! A cached token over the socket, from Rust, beside a bare exchange of the same sizes.

use valetkey_client::{Client, Endpoint, blocking};

use crate::Outcome;
use crate::ping_pong::PingPong;
use crate::relay::{self, Sizes};
use crate::stage::{Stage, silent};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;

const ROUNDS: usize = 20;
const CALLS: usize = 2_000;
const BUDGET: &str = "p50 at most 1.5 times, p99 at most 3 times the bare exchange";

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let daemon = stage.start_signed_in("hit")?;
    let folder = stage.folder("hit")?;
    let (sizes, _) = observe(stage, daemon.socket(), &folder)?;
    let ping_pong = PingPong::start(&folder.join("ping.sock"), sizes.clone())?;
    let mut bare = ping_pong.connect()?;
    let app = stage.open_app(&daemon.client())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asynchronous =
        runtime.block_on(Client::at(daemon.endpoint()).open_app(stage.definition()))?;
    let request = silent();

    let (mut bares, mut blockings, mut asyncs) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        bares.0.push(Round::of(CALLS, || bare.call())?);
        blockings.0.push(Round::of(CALLS, || {
            app.acquire_token_silent(&request)?;
            Ok(())
        })?);
        asyncs.0.push(runtime.block_on(async {
            let mut times = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let started = crate::now();
                asynchronous.acquire_token_silent(&request).await?;
                times.push(started.elapsed().as_secs_f64());
            }
            Outcome::Ok(Round::from_times(times))
        })?);
    }
    let sizes = format!("{} bytes out, {} back", sizes.request, sizes.answer);
    Ok(vec![
        row(&format!("silent hit, Rust SDK, blocking ({sizes})"), &blockings, &bares),
        row("silent hit, Rust SDK, async", &asyncs, &bares),
    ])
}

fn row(what: &str, ours: &Rounds, bare: &Rounds) -> Row {
    let (p50, p99) = (ours.p50_over(bare), ours.p99_over(bare));
    let measured = format!(
        "p50 {} ({p50:.2} times), p99 {} ({p99:.2} times)",
        show(ours.p50()),
        show(ours.p99())
    );
    let beside = format!("bare: p50 {}, p99 {}", show(bare.p50()), show(bare.p99()));
    Row::new(what, BUDGET, measured, beside, p50 <= 1.5 && p99 <= 3.0)
}

/// The sizes of a hit as this SDK makes it, and its request.
pub(crate) fn observe(
    stage: &Stage,
    daemon: &std::path::Path,
    folder: &std::path::Path,
) -> Outcome<(Sizes, Vec<u8>)> {
    relay::observe(daemon, folder, |socket| {
        let app = stage.open_app(&blocking::Client::at(Endpoint::at(socket)))?;
        app.acquire_token_silent(&silent())?;
        Ok(())
    })
}
