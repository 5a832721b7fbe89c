//! The story itself, chapter by chapter.

use std::time::Duration;

use valetkey_client::v1::{Flow, FlowKind, StartFlowRequest, TokenSource};
use valetkey_client::{App, Client, browser};

use crate::apps::{SCOPE, open_first_app, silent, start_python_app, start_second_app};
use crate::figures::{median, show};
use crate::interrupt;
use crate::stage::{Failure, Stage, now};
use crate::tell::Teller;

/// Who signs in when nobody is asked to.
const PERSON: &str = "alice@contoso.com";
/// How many callers hit the expired token at once.
const CALLERS: usize = 100;
/// With less left than this a token counts as expired.
const LEAST_SECONDS: i64 = 300;
/// So short that a token counts as expired at once.
const EXPIRED_SECONDS: i64 = 200;
/// How long a token lives, as a rule.
const HOUR: i64 = 3600;
/// Within which a signal reaches all that it is for.
const MOMENT: Duration = Duration::from_millis(200);
/// How many times a cached token is asked for, to measure.
const HITS: usize = 2000;

/// Tells the story; with `browser`, the person at this machine signs in.
#[tokio::main]
pub async fn tell(browser: bool) -> Result<(), Failure> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::open().await?;
    let played = async {
        let outcome = play(&mut stage, browser).await;
        if outcome.is_err() {
            // Ctrl-C reaches every program of a terminal, and the others may end before this one has seen it.
            tokio::time::sleep(MOMENT).await;
        }
        outcome
    };
    let outcome = tokio::select! {
        outcome = played => outcome,
        interrupted = interrupted => Err(interrupted.into()),
    };
    let closed = stage.close().await;
    outcome.and(closed)
}

async fn play(stage: &mut Stage, browser: bool) -> Result<(), Failure> {
    let mut teller = Teller::new();
    teller.title("valetkey: one sign-in for every app on the machine")?;
    teller.chapter("A provider and the daemon")?;
    teller.say(&format!(
        "provider   {} (rotates refresh tokens, punishes reuse)",
        stage.provider.base_url()
    ))?;
    let start = stage.start_daemon().await?;
    teller.say(&format!(
        "daemon     {}, first answer after {}",
        stage.endpoint().display(),
        show(start)
    ))?;
    teller.say(&format!("all in     {} (gone at the end)", stage.folder().display()))?;

    let client = stage.client();
    let app = open_first_app(&client, stage).await?;
    sign_in(&mut teller, stage, &client, &app, browser).await?;
    expire(&mut teller, stage).await?;
    share(&mut teller, stage).await?;
    measure_hits(&mut teller, &app).await?;
    insist(&mut teller, stage, &app).await?;
    survive(&mut teller, stage).await?;

    teller.title("Nobody signed in twice, and no app has ever seen a refresh token.")?;
    teller.say("Next: `valetkey login`, with your own account. The README says how:")?;
    teller.say("\"With your own tenant\".\n")?;
    Ok(())
}

async fn sign_in(
    teller: &mut Teller,
    stage: &Stage,
    client: &Client,
    app: &App,
    browser: bool,
) -> Result<(), Failure> {
    teller.chapter("One person signs in, once")?;
    stage.set_access_token_lifetime(EXPIRED_SECONDS);
    let kind = if browser { FlowKind::Interactive } else { FlowKind::DeviceCode };
    let flow = app.start_flow(&StartFlowRequest::new(kind, vec![SCOPE.to_owned()])).await?;
    if browser {
        open_browser(teller, &flow).await?
    } else {
        enter_code(teller, stage, &flow)?
    }
    let token = client.finish_flow(flow).await?;
    let name = token.id_token_claims.as_ref().and_then(|claims| claims.get("preferred_username"));
    let name = name.and_then(|name| name.as_str()).unwrap_or("somebody");
    teller.holds(&format!("signed in as {name}; the sign-in was on the disk before this line"))?;
    check(!token.others.contains_key("refresh_token"), "no refresh token crossed the socket")?;
    teller.holds("the app got an access token, and no refresh token")?;
    Ok(())
}

fn enter_code(teller: &Teller, stage: &Stage, flow: &Flow) -> Result<(), Failure> {
    let device = flow.device.as_ref().ok_or("the flow has no device code")?;
    let text = |name: &str| {
        device.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    teller.say(&format!(
        "app one    \"Open {} and enter {}\"",
        text("verification_uri"),
        text("user_code")
    ))?;
    stage.provider.control().approve_device(&text("user_code"), PERSON)?;
    teller.say(&format!(
        "person     enters the code as {PERSON} (played by a script; --browser lets you do it)"
    ))?;
    Ok(())
}

async fn open_browser(teller: &Teller, flow: &Flow) -> Result<(), Failure> {
    let url = flow.auth_uri.clone().ok_or("the flow has no page to open")?;
    let page = url.clone();
    let is_open = tokio::task::spawn_blocking(move || browser::open(&page)).await?;
    let told = match is_open {
        true => "opens your browser; if you see no page, open this address:",
        false => "finds no browser; to sign in, open this address on this machine:",
    };
    teller.say(&format!("app one    {told}\n              {url}"))?;
    Ok(())
}

async fn expire(teller: &mut Teller, stage: &Stage) -> Result<(), Failure> {
    teller.chapter("The token expires")?;
    // From here on tokens live an hour, as Entra's do.
    stage.set_access_token_lifetime(HOUR);
    teller.say(&format!(
        "the provider gave it {EXPIRED_SECONDS} s to live, and one with less than {LEAST_SECONDS} s left counts as expired"
    ))?;
    let herd = ask_at_once(stage).await?;
    teller.say(&format!("{CALLERS} callers ask for a new one at the same moment"))?;
    teller.figure("callers answered", &herd.answered.to_string())?;
    teller.figure("requests that went to the provider", &herd.requests.to_string())?;
    teller.figure("until the last one was answered", &show(herd.took))?;
    check(herd.answered == CALLERS, "every caller is answered")?;
    check(herd.requests == 1, "one request went out")?;
    teller.holds("one refresh for all of them")?;
    Ok(())
}

async fn share(teller: &mut Teller, stage: &Stage) -> Result<(), Failure> {
    teller.chapter("Other apps share the sign-in")?;
    let before = sign_ins(stage);
    let seconds = start_second_app(stage).await?;
    teller.holds(&format!(
        "app two, another process, has a token for {seconds} s, and asked nobody"
    ))?;
    match start_python_app(stage).await? {
        Some(told) => {
            teller.holds(&format!(
                "app three, written in Python for MSAL, with one changed line: {told}"
            ))?;
        }
        None => teller.say("(no python3 here, so the third app stays at home)")?,
    }
    check(sign_ins(stage) == before, "nobody signed in again")
}

/// What came of many callers at once.
struct Herd {
    answered: usize,
    requests: u64,
    took: Duration,
}

/// Lets many callers ask at once, each over a connection of its own.
async fn ask_at_once(stage: &Stage) -> Result<Herd, Failure> {
    let before = stage.refreshes();
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let app = open_first_app(&stage.client(), stage).await?;
        callers.push(async move { app.acquire_token_silent(&silent()).await });
    }
    let started = now();
    let tasks: Vec<_> = callers.into_iter().map(tokio::spawn).collect();
    let mut answered = 0;
    for task in tasks {
        task.await??;
        answered += 1;
    }
    Ok(Herd { answered, requests: stage.refreshes() - before, took: started.elapsed() })
}

async fn measure_hits(teller: &mut Teller, app: &App) -> Result<(), Failure> {
    teller.chapter("A token that is at hand")?;
    let mut times = Vec::with_capacity(HITS);
    for _ in 0..HITS {
        let started = now();
        let token = app.acquire_token_silent(&silent()).await?;
        times.push(started.elapsed());
        check(token.token_source == TokenSource::Cache, "it comes from the cache")?;
    }
    teller.figure(
        &format!("median of {HITS} calls, from app to daemon and back"),
        &show(median(times)),
    )?;
    Ok(())
}

async fn insist(teller: &mut Teller, stage: &Stage, app: &App) -> Result<(), Failure> {
    teller.chapter("A caller that insists")?;
    let before = stage.refreshes();
    let mut request = silent();
    request.force_refresh = true;
    let started = now();
    let token = app.acquire_token_silent(&request).await?;
    check(token.token_source == TokenSource::IdentityProvider, "it comes from the provider")?;
    check(stage.refreshes() == before + 1, "one request went out")?;
    teller.figure("a forced refresh: provider, durable save, answer", &show(started.elapsed()))?;
    Ok(())
}

async fn survive(teller: &mut Teller, stage: &mut Stage) -> Result<(), Failure> {
    teller.chapter("The daemon is killed")?;
    let before = sign_ins(stage);
    stage.kill_daemon().await?;
    teller.say("SIGKILL: no warning, no time to save anything")?;
    let start = stage.start_daemon().await?;
    teller.figure("started again, first answer after", &show(start))?;
    let app = open_first_app(&stage.client(), stage).await?;
    let token = app.acquire_token_silent(&silent()).await?;
    check(token.token_source == TokenSource::Cache, "the token survived")?;
    let seconds = start_second_app(stage).await?;
    check(sign_ins(stage) == before, "nobody signed in again")?;
    teller.holds(&format!(
        "app one and app two go on where they were ({seconds} s left); nobody has to sign in again"
    ))?;
    Ok(())
}

/// How often somebody signed in at the provider.
fn sign_ins(stage: &Stage) -> u64 {
    let counters = stage.provider.control().counters();
    counters
        .iter()
        .filter(|(grant, _)| *grant != "refresh_token")
        .map(|(_, count)| count.answered)
        .sum()
}

fn check(holds: bool, claim: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("this was claimed and does not hold: {claim}").into()) }
}
