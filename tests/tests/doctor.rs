//! `valetkey doctor`: what is wrong is found, and what to do about it told.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::{EntraEmulator, Options};
use valetkey_tests::{Machine, Program, patiently};

const CONFIG: &str = "config/valetkey/config.toml";

/// The exit code, and what was looked at.
async fn examine(machine: &Machine) -> (Option<i32>, Vec<Value>) {
    let mut command = machine.command(Program::Cli);
    command.args(["doctor", "--output", "json"]);
    let output = patiently("valetkey doctor", command.output()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), told["findings"].as_array().unwrap().clone())
}

fn verdicts<'a>(findings: &'a [Value], about: &str) -> Vec<&'a Value> {
    findings.iter().filter(|it| it["about"] == about).map(|it| &it["verdict"]).collect()
}

fn declare(machine: &Machine, authority: &str) {
    let app =
        format!("client_id = \"mail\"\nauthority = \"{authority}\"\nvalidate_authority = false\n");
    machine.write(CONFIG, format!("[apps.mail]\n{app}"));
}

#[tokio::test]
async fn where_all_is_well_it_says_so_and_the_provider_and_its_clock_were_asked() {
    let entra = EntraEmulator::start(Options::default()).await.unwrap();
    let mut machine = Machine::new();
    declare(&machine, &entra.authority("common"));
    machine.launch().await;
    let (exit, findings) = examine(&machine).await;
    assert_eq!(exit, Some(0), "{findings:#?}");
    for about in [
        "socket",
        "autostart",
        "daemon",
        "callers",
        "store",
        "configuration",
        "memory",
        "proxy",
        "provider",
        "clock",
    ] {
        assert_eq!(verdicts(&findings, about), [&json!("good")], "{about}: {findings:#?}");
    }
    assert_eq!(verdicts(&findings, "key"), [&json!("warning")], "a key in a file is no good one");
    let asked = entra.control().counters();
    assert!(asked.keys().all(|grant| grant != "refresh_token"), "{asked:?}");
}

#[tokio::test]
async fn what_does_not_work_is_told_with_the_way_out_and_an_exit_code() {
    let mut machine = Machine::new();
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    declare(&machine, &format!("http://{port}/common"));
    machine.launch().await;
    machine.write(CONFIG, "[apps.mail]\nclient_id = 1\n");
    let (exit, findings) = examine(&machine).await;
    assert_eq!(exit, Some(1), "{findings:#?}");
    for (about, words) in [("configuration", "config.toml:2"), ("provider", "connection refused")] {
        let found: Vec<_> = findings.iter().filter(|it| it["about"] == about).collect();
        assert_eq!((found.len(), &found[0]["verdict"]), (1, &json!("bad")), "{findings:#?}");
        assert!(found[0]["what"].as_str().unwrap().contains(words), "{}", found[0]);
        assert!(found[0]["hint"].is_string(), "{}", found[0]);
    }
    let mut command = machine.command(Program::Cli);
    let output = patiently("valetkey doctor", command.arg("doctor").output()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 120) && text.contains("BAD"), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("2 things are wrong"), "{said}");
}

#[tokio::test]
async fn a_locked_store_is_told_with_the_way_to_unlock_it_and_the_rest_is_looked_at() {
    let mut machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    machine.launch().await;
    let check = async |machine: &Machine, verdict: &str, hint: &str| {
        let (exit, findings) = examine(machine).await;
        assert_eq!(exit, Some(0), "a locked store waits, and nothing is wrong: {findings:#?}");
        let key = findings.iter().find(|it| it["about"] == "key").unwrap();
        assert_eq!(key["verdict"], verdict, "{key}");
        assert_eq!(key["hint"].as_str().unwrap_or_default(), hint, "{key}");
        assert_eq!(verdicts(&findings, "store"), [&json!("good")], "{findings:#?}");
    };
    check(&machine, "warning", "Choose the passphrase: run `valetkey unlock`.").await;
    let passphrase = json!({"passphrase": "correct horse battery staple"});
    machine.connect().await.post("/v1/unlock", &passphrase).await.success();
    check(&machine, "good", "").await;
    machine.connect().await.post("/v1/lock", &json!({})).await.success();
    check(&machine, "warning", "Hand it in: run `valetkey unlock`.").await;

    let machine = Machine::start().await;
    machine.connect().await.post("/v1/lock", &json!({})).await.success();
    check(&machine, "warning", "It was locked: run `valetkey unlock`.").await;
}

#[tokio::test]
async fn a_proxy_and_certificates_that_are_not_there_are_named_without_the_proxys_password() {
    let mut machine = Machine::new()
        .with("HTTPS_PROXY", "http://clerk:sesame@127.0.0.1:1")
        .with("SSL_CERT_FILE", "/nonexistent/roots.pem");
    machine.launch().await;
    let (exit, findings) = examine(&machine).await;
    assert_eq!(exit, Some(1), "{findings:#?}");
    for (about, words) in [
        ("proxy", "127.0.0.1:1 of HTTPS_PROXY"),
        ("certificates", "/nonexistent/roots.pem of SSL_CERT_FILE: No such file"),
    ] {
        let is_named = |it: &&Value| it["what"].as_str().is_some_and(|what| what.contains(words));
        let found = findings.iter().filter(|it| it["about"] == about).find(is_named);
        assert_eq!(found.map(|it| &it["verdict"]), Some(&json!("bad")), "{findings:#?}");
    }
    assert!(!format!("{findings:?}").contains("sesame"), "{findings:#?}");
}

#[tokio::test]
async fn a_daemon_that_cannot_be_reached_is_what_is_wrong() {
    let machine = Machine::new().with("VALETKEY_AUTOSTART", "0");
    let (exit, findings) = examine(&machine).await;
    assert_eq!((exit, verdicts(&findings, "socket")), (Some(1), vec![&json!("good")]));
    assert_eq!(verdicts(&findings, "daemon"), [&json!("bad")], "{findings:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_in_which_others_can_put_a_socket_is_what_is_wrong() {
    use std::os::unix::fs::PermissionsExt as _;

    let machine = Machine::new();
    let folder = machine.endpoint().path().parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (exit, findings) = examine(&machine).await;
    assert_eq!((exit, verdicts(&findings, "socket")), (Some(1), vec![&json!("bad")]));
    assert!(findings[0]["what"].as_str().unwrap().contains("0777"), "{findings:#?}");
    let told = findings[0].to_string();
    assert_eq!(told.matches("VALETKEY_SOCKET").count(), 1, "the advice is given once: {told}");
}
