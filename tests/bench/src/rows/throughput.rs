//! Silent hits a second over eight connections, with the load on the same cores as the daemon.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::hit::observe;
use crate::ping_pong::{Caller, PingPong};
use crate::stage::Stage;
use crate::stats::median;
use crate::table::Row;
use crate::{Outcome, now};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(500);
const BUDGET: f64 = 70_000.0;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let daemon = stage.start_signed_in("throughput")?;
    let folder = stage.folder("throughput")?;
    let seen = observe(stage, daemon.socket(), &folder)?;
    let ping_pong = PingPong::start(&folder.join("ping.sock"), &seen)?;
    let mut bare = connect(|| ping_pong.connect())?;
    let mut ours = connect(|| {
        let stream = UnixStream::connect(daemon.socket())?;
        Ok(Caller::over(stream, seen.request.clone(), seen.answer.len()))
    })?;
    let (mut bares, mut hits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(calls_a_second(&mut bare, |_| Ok(()))?);
        hits.push(calls_a_second(&mut ours, check_answer)?);
    }
    let (bare, hits) = (median(bares), median(hits));
    Ok(vec![Row::new(
        "throughput over 8 connections, on two cores shared with the load",
        "at least 70,000 silent hits a second",
        format!("{hits:.0} a second"),
        format!("bare exchanges, a thread for each connection: {bare:.0} a second"),
        hits >= BUDGET,
    )])
}

fn connect(caller: impl Fn() -> Outcome<Caller>) -> Outcome<Vec<Caller>> {
    (0..CONNECTIONS).map(|_| caller()).collect()
}

/// One thread goes around the connections: reads the answer that is due, and sends the next request. No connection ever
/// has more than one request under way.
fn calls_a_second(callers: &mut [Caller], check: impl Fn(&[u8]) -> Outcome) -> Outcome<f64> {
    for caller in &mut *callers {
        caller.send()?;
    }
    let started = now();
    let mut calls = 0;
    while started.elapsed() < ROUND {
        for caller in &mut *callers {
            check(caller.receive()?)?;
            caller.send()?;
        }
        calls += callers.len();
    }
    let took = started.elapsed();
    for caller in callers {
        caller.receive()?;
    }
    Ok(calls as f64 / took.as_secs_f64())
}

/// An answer of another length would shift all that follow, and be noticed here.
fn check_answer(answer: &[u8]) -> Outcome {
    let is_whole = answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"}");
    if is_whole { Ok(()) } else { Err("an answer is not what it was".into()) }
}
