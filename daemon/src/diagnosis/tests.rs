//! Each state of affairs and what is said of it.

use serde_json::{Value, json};
use valetkey_engine::Error;
use valetkey_engine::ports::TransportError;
use valetkey_proto::v1::Verdict;

use super::*;

fn status(changes: Value) -> Status {
    let folder = std::env::temp_dir();
    let mut status = json!({
        "version": "1", "pid": 1, "uptime_seconds": 1, "socket": "s", "locked": false,
        "key": {"provider": "keyring", "protection": "the desktop's keyring"},
        "store": {"path": folder, "problems": [], "unsaved": 0},
        "protection": {"files": "all", "system_calls": true, "keys_in_swap": 0},
        "counts": {"apps": 0, "accounts": 0, "access_tokens": 0, "refresh_tokens": 0, "flows": 0},
    });
    for (pointer, value) in changes.as_object().unwrap() {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match parent {
            "" => status[member] = value.clone(),
            _ => status[&parent[1..]][member] = value.clone(),
        }
    }
    serde_json::from_value(status).unwrap()
}

/// What is said of something, when it is not as it should be.
fn complaints(findings: &[Finding]) -> Vec<(About, Verdict)> {
    let complaints = findings.iter().filter(|finding| finding.verdict != Verdict::Good);
    complaints.map(|finding| (finding.about, finding.verdict)).collect()
}

#[test]
fn each_state_of_the_daemon_has_its_verdict() {
    let limits = complaints(&[look_at_limits(hardening::descriptor_limit())]);
    for (changes, expected) in [
        (json!({}), vec![]),
        (json!({"/key/provider": "file"}), vec![(About::Key, Verdict::Warning)]),
        (
            json!({"/key/provider": "passphrase", "/locked": true}),
            vec![(About::Key, Verdict::Warning)],
        ),
        (json!({"/locked": true}), vec![(About::Key, Verdict::Bad)]),
        (json!({"/protection/files": "part"}), vec![]),
        (json!({"/protection/keys_in_swap": 1}), vec![(About::Memory, Verdict::Warning)]),
        (json!({"/key/provider": "file", "/locked": true}), vec![(About::Key, Verdict::Warning)]),
        (json!({"/auto_lock": {"after_idle": 900, "on": ["screen"]}}), vec![]),
        (
            json!({"/auto_lock": {"on": ["sleep"], "problem": "no bus"}}),
            vec![(About::Key, Verdict::Warning)],
        ),
        (
            json!({"/store/problems": ["damage"], "/store/unsaved": 2}),
            vec![(About::Store, Verdict::Bad), (About::Store, Verdict::Bad)],
        ),
        (
            json!({"/configuration": {"problem": "line 3", "at_next_start": ["vault.key"]}}),
            vec![(About::Configuration, Verdict::Bad), (About::Configuration, Verdict::Warning)],
        ),
    ] {
        let findings = of_daemon(&status(changes.clone()), UnixTime::from_seconds(0));
        let expected: Vec<_> = expected.into_iter().chain(limits.clone()).collect();
        assert_eq!(complaints(&findings), expected, "{changes}");
        for finding in findings {
            assert_eq!(finding.hint.is_some(), finding.verdict != Verdict::Good, "{finding:?}");
        }
    }
}

#[test]
fn the_age_of_a_key_and_when_it_locks_are_told() {
    let changes = json!({
        "/key/made_at": 1_700_000_000,
        "/auto_lock": {"after_idle": 900, "on": ["screen", "sleep"]},
    });
    let now = UnixTime::from_seconds(1_700_000_000 + 3 * 86_400 + 5);
    let told: Vec<_> = of_daemon(&status(changes), now).into_iter().map(|told| told.what).collect();
    assert!(told[0].ends_with("; 3 days old"), "{told:?}");
    assert_eq!(told[1], "locked on screen, on sleep, after 900 s without a token");
}

#[test]
fn few_descriptors_are_too_few() {
    for (descriptors, expected) in
        [(Some(256), Verdict::Warning), (Some(4096), Verdict::Good), (None, Verdict::Good)]
    {
        assert_eq!(look_at_limits(descriptors).verdict, expected, "{descriptors:?}");
    }
}

#[test]
fn a_clock_is_judged_by_what_providers_bear() {
    for (ahead, expected, words) in [
        (0, Verdict::Good, "as at p"),
        (30, Verdict::Good, "as at p"),
        (31, Verdict::Warning, "31 s ahead of p"),
        (-300, Verdict::Warning, "300 s behind p"),
        (301, Verdict::Bad, "301 s ahead of p"),
        (i64::MIN, Verdict::Bad, "behind p"),
    ] {
        let finding = look_at_clock("p", ahead);
        assert_eq!(finding.verdict, expected, "{ahead}");
        assert!(finding.what.contains(words), "{finding:?}");
    }
}

#[test]
fn a_provider_that_cannot_be_reached_is_told_with_the_step_that_failed() {
    let host = "login.example".to_owned();
    let error = TransportError::Connect { host, reason: "connection refused".to_owned() };
    let error = Failure::from(Error::from(error));
    let findings = look_at_provider("https://login.example", Err(error), UnixTime::default());
    assert_eq!(complaints(&findings), [(About::Provider, Verdict::Bad)]);
    assert!(findings[0].what.contains("connection refused"), "{findings:?}");
    let there = Ok(Some(UnixTime::from_seconds(1000)));
    let findings = look_at_provider("p", there, UnixTime::from_seconds(2000));
    assert_eq!(complaints(&findings), [(About::Clock, Verdict::Bad)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_is_not_confined_is_told_of() {
    for changes in
        [json!({"/protection/files": "none"}), json!({"/protection/system_calls": false})]
    {
        let finding = look_at_confinement(&status(changes));
        assert_eq!((finding.about, finding.verdict), (About::Confinement, Verdict::Warning));
    }
}

#[test]
fn the_way_to_providers_is_told_by_what_is_on_it() {
    let proxy = |outcome: Result<(), &str>| {
        let outcome = outcome.map_err(str::to_owned);
        look_at_proxy(Some(TriedProxy {
            variable: "HTTPS_PROXY",
            host: "p:1".to_owned(),
            outcome,
            except: Some("intranet".to_owned()),
        }))
    };
    let roots = |outcome| look_at_certificates(RootsFound { place: "f".to_owned(), outcome });
    for (finding, verdict, words) in [
        (look_at_proxy(None), Verdict::Good, "none in"),
        (proxy(Ok(())), Verdict::Good, "p:1 of HTTPS_PROXY answers, but not for intranet"),
        (proxy(Err("refused")), Verdict::Bad, "p:1 of HTTPS_PROXY: refused"),
        (roots(Ok(142)), Verdict::Good, "f: 142 certificates"),
        (roots(Ok(0)), Verdict::Bad, "f: no certificate"),
        (roots(Err(std::io::ErrorKind::NotFound.into())), Verdict::Bad, "not found"),
    ] {
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.what.contains(words), "{finding:?}");
    }
}
