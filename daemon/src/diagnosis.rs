//! What is wrong, and what to do about it: what can be seen from here. What can be seen only from outside (whether a daemon
//! runs at all) the command finds out by itself.

mod modes;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use valetkey_engine::{Definition, Error};
use valetkey_model::UnixTime;
use valetkey_proto::v1::{About, AutoLock, Finding, Held, ProtectionStatus, Status};

use crate::broker::Broker;
use crate::failure::Failure;
use crate::hardening;
use crate::http_client::{RootsFound, Surroundings, TriedProxy};
use crate::session::Session;
pub use modes::of_modes;

/// What there is to say of the daemon itself, which `status` knows.
pub fn of_daemon(status: &Status, now: UnixTime) -> Vec<Finding> {
    let mut findings = vec![look_at_key(status, now)];
    findings.extend(look_at_auto_lock(&status.auto_lock));
    findings.extend(look_at_store(status));
    findings.extend(look_at_configuration(status));
    findings.push(look_at_limits(hardening::descriptor_limit()));
    // Other systems have nothing of the kind.
    if cfg!(target_os = "linux") {
        findings.push(look_at_confinement(status));
    }
    findings.push(look_at_memory(status));
    findings
}

/// What the environment gives for the way to providers.
pub async fn of_surroundings(surroundings: &Surroundings) -> Vec<Finding> {
    let (proxy, certificates) = tokio::join!(surroundings.try_proxy(), surroundings.count_roots());
    let mut findings = vec![look_at_proxy(proxy)];
    findings.extend(certificates.into_iter().map(look_at_certificates));
    findings
}

fn look_at_key(Status { key, locked, .. }: &Status, now: UnixTime) -> Finding {
    let days = |made_at: i64| now.seconds_since(UnixTime::from_seconds(made_at)) / (24 * 3600);
    let age = key.made_at.map_or_else(String::new, |at| format!("; {} days old", days(at)));
    let what = format!("{}: {}{age}", key.provider, key.protection);
    match (*locked, key.provider.as_str()) {
        (true, "passphrase") if key.to_be_chosen => {
            Finding::warning(About::Key, what, "Choose the passphrase: run `valetkey unlock`.")
        }
        (true, "passphrase") => {
            Finding::warning(About::Key, what, "Hand it in: run `valetkey unlock`.")
        }
        (true, "file" | "credential") => {
            Finding::warning(About::Key, what, "It was locked: run `valetkey unlock`.")
        }
        (true, _) => Finding::bad(About::Key, what, "See to what is in the way; the store waits."),
        (false, "file") if key.protection.contains("keyring did not work") => Finding::warning(
            About::Key,
            what,
            "The last resort. Keep the disk itself encrypted; or set `[vault] key` to `passphrase`, and run `valetkey key rotate --provider passphrase`.",
        ),
        (false, "file") => Finding::warning(
            About::Key,
            what,
            "The last resort. Keep the disk itself encrypted; or set `[vault] key` to `keyring` or `passphrase`, and run `valetkey key rotate --provider` with it.",
        ),
        (false, _) => Finding::good(About::Key, what),
    }
}

fn look_at_auto_lock(auto: &AutoLock) -> Option<Finding> {
    let mut when: Vec<_> = auto.on.iter().map(|on| format!("on {on}")).collect();
    when.extend(auto.after_idle.map(|seconds| format!("after {seconds} s without a token")));
    let what = format!("locked {}", when.join(", "));
    match &auto.problem {
        _ if when.is_empty() => None,
        None => Some(Finding::good(About::Key, what)),
        Some(problem) => {
            let hint =
                "Set `lock_on` where systemd-logind runs, and can be reached from valetkeyd.";
            Some(Finding::warning(About::Key, format!("{what}: {problem}"), hint))
        }
    }
}

fn look_at_store(Status { store, .. }: &Status) -> Vec<Finding> {
    let mut findings: Vec<_> = store
        .problems
        .iter()
        .map(|problem| {
            Finding::bad(
                About::Store,
                problem,
                "Nothing was overwritten; `Damage` in SECURITY.md says what can be done.",
            )
        })
        .collect();
    if store.unsaved > 0 {
        let what = format!("{} changes could not be written", store.unsaved);
        findings.push(Finding::bad(About::Store, what, "Free some space on the disk."));
    }
    if let Err(problem) = valetkey_safe_path::check_way_to(Path::new(&store.path)) {
        let hint = "Others could replace the store; mend the folder's owner or mode.";
        findings.push(Finding::bad(About::Store, problem.to_string(), hint));
    }
    if findings.is_empty() {
        findings.push(Finding::good(About::Store, &store.path));
    }
    findings
}

fn look_at_configuration(Status { configuration, .. }: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(problem) = &configuration.problem {
        let hint = "What the file said before holds; mend the line.";
        findings.push(Finding::bad(About::Configuration, problem, hint));
    }
    if !configuration.at_next_start.is_empty() {
        let what = format!("{} changed", configuration.at_next_start.join(", "));
        let hint = "End valetkeyd; whoever needs it starts it again, with the new setting.";
        findings.push(Finding::warning(About::Configuration, what, hint));
    }
    if findings.is_empty() {
        let path = configuration.path.as_deref().unwrap_or("none, and none is needed");
        findings.push(Finding::good(About::Configuration, path));
    }
    findings
}

/// Each connection takes two, and the daemon some of its own.
fn look_at_limits(descriptors: Option<u64>) -> Finding {
    match descriptors {
        Some(few) if few < ENOUGH_DESCRIPTORS => Finding::warning(
            About::Limits,
            format!("{few} files and connections may be open"),
            "Raise the limit (`ulimit -n`, LimitNOFILE=) where many programs use the daemon at once.",
        ),
        Some(many) => {
            Finding::good(About::Limits, format!("{many} files and connections may be open"))
        }
        None => Finding::good(About::Limits, "files and connections without a limit"),
    }
}

fn look_at_confinement(Status { protection, .. }: &Status) -> Finding {
    let ProtectionStatus { files, system_calls, .. } = *protection;
    let what = match files {
        Held::All => "it changes no files but its own, and starts no program",
        Held::Part => "it changes no files but its own, as far as this kernel sees to it",
        Held::None => "nothing but permissions keeps it to its own files",
    };
    let what = match system_calls {
        true => format!("{what}; what it never asks of the kernel is refused"),
        false => format!("{what}; it may ask anything of the kernel"),
    };
    if files == Held::None || !system_calls {
        let hint = "Run Linux 5.13 or newer with `landlock` among the `lsm=` it is booted with; see the log for why not.";
        return Finding::warning(About::Confinement, what, hint);
    }
    Finding::good(About::Confinement, what)
}

fn look_at_memory(Status { protection, .. }: &Status) -> Finding {
    match protection.keys_in_swap {
        0 => Finding::good(About::Memory, "no key reaches the swap"),
        keys => Finding::warning(
            About::Memory,
            format!("keys may reach the swap ({keys})"),
            "Raise the limit on locked memory (`ulimit -l`, LimitMEMLOCK=), or encrypt the swap.",
        ),
    }
}

fn look_at_proxy(proxy: Option<TriedProxy>) -> Finding {
    match proxy {
        None => Finding::good(About::Proxy, "none in the daemon's environment"),
        Some(TriedProxy { variable, host, outcome: Ok(()), except }) => {
            let except = except.map(|except| format!(", but not for {except}"));
            let what = format!("{host} of {variable} answers{}", except.unwrap_or_default());
            Finding::good(About::Proxy, what)
        }
        Some(TriedProxy { variable, host, outcome: Err(why), .. }) => Finding::bad(
            About::Proxy,
            format!("{host} of {variable}: {why}"),
            "Correct the variable where the daemon is started, and end valetkeyd; the next command starts it again.",
        ),
    }
}

fn look_at_certificates(RootsFound { place, outcome }: RootsFound) -> Finding {
    let what = |says: String| format!("{place}: {says}");
    match outcome {
        Ok(0) => Finding::bad(
            About::Certificates,
            what("no certificate".to_owned()),
            "No provider can be recognised by it; name a file or folder of PEM certificates.",
        ),
        Ok(1) => Finding::good(About::Certificates, what("one certificate".to_owned())),
        Ok(several) => Finding::good(About::Certificates, what(format!("{several} certificates"))),
        Err(error) => Finding::bad(
            About::Certificates,
            what(error.to_string()),
            "Make it readable, or correct SSL_CERT_FILE or SSL_CERT_DIR; the system's own are in the package `ca-certificates`.",
        ),
    }
}

/// Whether the providers of the caller's applications can be reached, and whether the clocks agree.
pub async fn of_providers(broker: &Broker, session: &Session) -> Vec<Finding> {
    let mut sites: BTreeMap<String, Definition> = BTreeMap::new();
    for definition in broker.definitions(session).await {
        sites.entry(definition.authority.url().to_string()).or_insert(definition);
    }
    let left_out = sites.len().saturating_sub(MOST_PROVIDERS);
    let probes = sites.into_iter().take(MOST_PROVIDERS).map(async |(site, definition)| {
        let outcome = broker.probe(session, definition).await;
        look_at_provider(&site, outcome, broker.engine().now())
    });
    let mut findings: Vec<_> = join_all(probes).await.into_iter().flatten().collect();
    if left_out > 0 {
        let what = format!("{left_out} more were not asked");
        findings.push(Finding::good(About::Provider, what));
    }
    findings
}

fn look_at_provider(
    site: &str,
    outcome: Result<Option<UnixTime>, Failure>,
    now: UnixTime,
) -> Vec<Finding> {
    let there = match outcome {
        Ok(there) => there,
        Err(Failure::Engine(Error::Store(error))) => {
            let what = format!("{site} was not asked: {error}");
            return vec![Finding::warning(
                About::Provider,
                what,
                "Run `valetkey unlock`, and this again.",
            )];
        }
        Err(error) => {
            let hint = "Look at the network, at HTTPS_PROXY and SSL_CERT_FILE of the daemon, and at the authority's spelling.";
            return vec![Finding::bad(About::Provider, format!("{site}: {error}"), hint)];
        }
    };
    let mut findings = vec![Finding::good(About::Provider, format!("{site} answers"))];
    findings.extend(there.map(|there| look_at_clock(site, now.seconds_since(there))));
    findings
}

/// Tokens are good from a moment to a moment: with a wrong clock they seem to have expired, or to be good when they are not.
fn look_at_clock(site: &str, ahead: i64) -> Finding {
    let hint = "Set the clock, by the network if there is one (`timedatectl set-ntp true`).";
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let what = format!("{} s {direction} {site}", ahead.unsigned_abs());
    match ahead.unsigned_abs() {
        off if off > FAR_OFF => Finding::bad(About::Clock, what, hint),
        off if off > SLIGHTLY_OFF => Finding::warning(About::Clock, what, hint),
        _ => Finding::good(About::Clock, format!("as at {site}")),
    }
}

/// Seconds that a slow network may make of nothing.
const SLIGHTLY_OFF: u64 = 30;

/// Seconds by which providers let clocks differ.
const FAR_OFF: u64 = 300;

const ENOUGH_DESCRIPTORS: u64 = 4096;

/// To ask at once.
const MOST_PROVIDERS: usize = 16;

#[cfg(test)]
mod tests;
