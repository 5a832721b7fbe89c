//! `valetkey doctor`: what is wrong, and what to do about it. What can be seen from outside is looked at here, the rest by the
//! daemon.

mod autostart;

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{About, Finding, ProtectionStatus, Verdict};
use valetkey_client::{Endpoint, Error, inspect_files};

use crate::console::Console;
use crate::failure::{FAILED, Failure};
use crate::protection::lines_of;
use crate::text::{clean, wrap};

pub(super) fn run(console: &Console) -> Result<(), Failure> {
    let findings = examine();
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if console.is_json() {
        let version = env!("CARGO_PKG_VERSION");
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        console
            .print_json(&json!({ "version": version, "system": system, "findings": findings }))?;
    } else {
        console.print(&describe(&findings, console))?;
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::own("not_well", FAILED, "one thing is wrong".to_owned(), NEXT)),
        several => {
            Err(Failure::own("not_well", FAILED, format!("{several} things are wrong"), NEXT))
        }
    }
}

/// Each thing rests on the one before: where a daemon cannot be reached, there is nobody to ask the rest.
fn examine() -> Vec<Finding> {
    let endpoint = match Endpoint::of_this_user() {
        Ok(endpoint) => endpoint,
        Err(error) => return vec![Finding::bad(About::Socket, error.to_string(), SET_SOCKET)],
    };
    let mut findings = vec![match endpoint.inspect() {
        Ok(()) => Finding::good(About::Socket, endpoint.to_string()),
        Err(error) => look_at_socket(&error.to_string()),
    }];
    findings.push(autostart::look());
    let was_running = Client::at(endpoint.clone()).status().is_ok();
    if let Err(error) = ask_daemon(was_running, &mut findings) {
        let (what, next) = Failure::from(error).into_words();
        findings.push(Finding::bad(About::Daemon, what, next));
        findings.extend(inspect_files(&endpoint));
    }
    findings
}

/// Most errors end in what to do, which is not to be said twice.
fn look_at_socket(error: &str) -> Finding {
    let (what, next) = error.split_once("; ").unwrap_or((error, SET_SOCKET));
    Finding::bad(About::Socket, what, next)
}

/// Starts it, if need be.
fn ask_daemon(was_running: bool, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let client = Client::new()?;
    let status = client.status()?;
    findings.push(look_at_daemon(&status.version, was_running));
    findings.push(look_at_callers(&status.protection));
    findings.extend(client.diagnose()?.findings);
    Ok(())
}

fn look_at_daemon(version: &str, was_running: bool) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        let what = format!("valetkeyd {version} runs, and this command is of {own}");
        let hint = match is_newer(version, own) {
            true => "Update this command (`valetkey`): the daemon is the newer of the two.",
            false => {
                "End valetkeyd; the next command starts the newer one, if that is installed beside it."
            }
        };
        return Finding::warning(About::Daemon, what, hint);
    }
    let started = if was_running { "runs" } else { "was started for this" };
    Finding::good(About::Daemon, format!("valetkeyd {version} {started}"))
}

/// By their numbers, as `1.10.0` is newer than `1.9.0`; what follows on a dash or plus sign has no order that matters here.
fn is_newer(one: &str, other: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let release = version.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map(|number| number.parse().unwrap_or_default()).collect()
    };
    numbers(one) > numbers(other)
}

/// A daemon that cannot look at its callers may refuse to say what else is wrong.
fn look_at_callers(protection: &ProtectionStatus) -> Finding {
    match protection.callers_unseen {
        true => Finding::bad(About::Callers, UNSEEN, END_IT),
        false => Finding::good(About::Callers, "it can look at the programs that call it"),
    }
}

fn describe(findings: &[Finding], console: &Console) -> String {
    let columns = console.width.unwrap_or(COLUMNS).saturating_sub(MARGIN);
    let mut text = String::new();
    for Finding { about, verdict, what, hint } in findings {
        let wrapped = |line: &String| wrap(&clean(line), columns);
        let mut lines: Vec<_> = match about {
            About::Key => lines_of(what).iter().flat_map(wrapped).collect(),
            _ => wrapped(what),
        };
        lines.extend(wrap(&clean(hint.as_deref().unwrap_or_default()), columns));
        let mut head = format!("{}  {:<8}", mark(*verdict, console), name(*about));
        for line in lines {
            text += &format!("{head}  {line}\n");
            head = " ".repeat(MARGIN - GAP);
        }
    }
    text
}

/// In seven columns.
fn mark(verdict: Verdict, console: &Console) -> String {
    match verdict {
        Verdict::Good => "good   ".to_owned(),
        Verdict::Warning => console.bold("warning"),
        Verdict::Bad => console.bold("BAD    "),
    }
}

fn name(about: About) -> &'static str {
    match about {
        About::Socket => "socket",
        About::Daemon => "daemon",
        About::Key => "key",
        About::Store => "store",
        About::Configuration => "config",
        About::Limits => "limits",
        About::Confinement => "sandbox",
        About::Memory => "memory",
        About::Callers => "callers",
        About::Autostart => "start",
        About::Proxy => "proxy",
        About::Certificates => "certs",
        About::Provider => "provider",
        About::Clock => "clock",
    }
}

const UNSEEN: &str = "the process that looks at them (valetkeyd-look) does not answer; where the policy looks at programs, \
    all of them are refused";

const END_IT: &str = "Have it go on if it was stopped (SIGCONT); else end valetkeyd, and the next command starts it with a new one.";

const SET_SOCKET: &str = "Set VALETKEY_SOCKET to a path in a folder of your own.";

const NEXT: &str = "what to do stands beside it; for support: `valetkey doctor --output json`";

/// A verdict, a name, and the gaps behind them.
const MARGIN: usize = 19;

const GAP: usize = 2;

/// Where there is no terminal to fit.
const COLUMNS: usize = 80;
