//! A thousand callers, each with a connection of its own, on one token that has just expired.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use valetkey_client::{App, Client};

use crate::stage::{DAY, Stage, silent};
use crate::stats::show_duration;
use crate::table::Row;
use crate::{Outcome, now};

const CALLERS: usize = 1_000;
/// Less than the five minutes under which a token counts as expired.
const EXPIRED: i64 = 200;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    lift_descriptor_limit()?;
    stage.set_lifetime(EXPIRED);
    let daemon = stage.start_daemon("herd")?;
    stage.sign_in(&daemon)?;
    stage.set_lifetime(DAY);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let apps = runtime.block_on(async {
        let mut apps = Vec::with_capacity(CALLERS);
        for _ in 0..CALLERS {
            apps.push(Client::at(daemon.endpoint()).open_app(stage.definition()).await?);
        }
        Outcome::Ok(apps)
    })?;
    let before = stage.refreshes();
    let (answered, took) = ask_all(&runtime, &apps);
    let requests = stage.refreshes() - before;
    let (_, at_hand) = ask_all(&runtime, &apps);
    let all = if answered == CALLERS { "all answered" } else { "**not all answered**" };
    Ok(vec![Row::new(
        "1,000 callers, one expired token",
        "one request to the provider; all answered",
        format!("{requests} request, {all}, the last after {}", show_duration(took)),
        format!("the same callers on a token at hand: {}", show_duration(at_hand)),
        requests == 1 && answered == CALLERS,
    )])
}

/// How many were answered with a token, and how long it took until the last one was.
fn ask_all(runtime: &Runtime, apps: &[App]) -> (usize, Duration) {
    runtime.block_on(async {
        let mut asking = JoinSet::new();
        let started = now();
        for app in apps {
            let app = app.clone();
            asking.spawn(async move { app.acquire_token_silent(&silent()).await.is_ok() });
        }
        let answered = asking.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
        (answered, started.elapsed())
    })
}

/// A connection is a descriptor, and the usual soft limit is 1,024.
fn lift_descriptor_limit() -> Outcome {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
