//! Signing in: which way is taken, what the person is told, and how it ends.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Request};
use crate::{Outcome, account, daemon, error, outcome, run, token, valetkey};

const SIGNED_IN: &str = "Signed in as ada@contoso.com (u.t).\n";

/// A daemon whose flow starts as told, is pending once, and then ends as told.
fn sign_in(started: Value, ended: Value) -> Daemon {
    let mut polls = 0;
    daemon(move |request: &Request| match request.target.split('?').next().unwrap_or_default() {
        "/v1/apps/a-1/flows" => (201, started.clone()),
        "/v1/flows/f-1" => {
            polls += 1;
            (200, if polls == 1 { started.clone() } else { ended.clone() })
        }
        _ => (200, json!({"accounts": [account("u.t", "ada@contoso.com")]})),
    })
}

fn flow(kind: &str, members: &Value) -> Value {
    let mut flow = json!({
        "flow": "f-1", "kind": kind, "state": "pending", "joined": false, "expires_at": 4_102_444_800_i64,
        "correlation_id": "7",
    });
    flow.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    flow
}

fn device(complete: Option<&str>) -> Value {
    let mut told = json!({
        "user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900,
    });
    if let Some(complete) = complete {
        told["verification_uri_complete"] = complete.into();
    }
    flow("device_code", &json!({"device": told}))
}

fn page(joined: bool) -> Value {
    flow(
        "interactive",
        &json!({"auth_uri": "https://id.example/authorize?a=1&b=2", "joined": joined}),
    )
}

fn completed(kind: &str) -> Value {
    flow(kind, &json!({"state": "completed", "result": token()}))
}

/// The kinds of flow that were started.
fn started(daemon: &Daemon) -> Vec<Value> {
    let requests = daemon.requests().into_iter();
    let starts = requests.filter(|request| request.target.ends_with("/flows"));
    starts.filter_map(|request| request.body).collect()
}

const CODE: &str = "\
This signs you in to `graph` (client id c-1).
To sign in, open  https://microsoft.com/devicelogin
and type the code  ABCD-EFGH
It is good for 15 min.
Compare the code with the page's; never type one that somebody else sent you.
";

#[test]
fn without_a_screen_it_is_a_code() {
    let daemon = sign_in(
        device(Some("https://microsoft.com/devicelogin?code=ABCD-EFGH")),
        completed("device_code"),
    );
    let words = ["login", "graph", "--scope", "User.Read", "--claims", "{}"];
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), outcome(SIGNED_IN, CODE, 0));
    assert_eq!(
        started(&daemon),
        [json!({"kind": "device_code", "scopes": ["User.Read"], "claims_challenge": "{}"})]
    );
}

#[test]
fn over_ssh_it_is_a_code_even_with_a_forwarded_screen() {
    let daemon = sign_in(device(None), completed("device_code"));
    let mut command = valetkey(&daemon.endpoint, &["login", "graph"]);
    command.env("DISPLAY", "localhost:10.0").env("SSH_CONNECTION", "a 1 b 2");
    assert_eq!(run(&mut command, ""), outcome(SIGNED_IN, CODE, 0));
}

/// A browser that notes what it was given.
#[cfg(unix)]
fn with_browser(command: &mut Command, folder: &std::path::Path) -> Outcome {
    command.env("BROWSER", format!("/bin/false:touch {}/opened", folder.display()));
    command.current_dir(folder);
    run(command, "")
}

#[cfg(unix)]
fn write_script(text: &str) -> tempfile::NamedTempFile {
    let mut script = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut script, text.as_bytes()).unwrap();
    script
}

#[cfg(unix)]
#[test]
fn with_a_screen_the_page_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = sign_in(page(false), completed("interactive"));
    let words = ["login", "graph", "--login-hint", "ada", "--prompt", "login", "--timeout", "60"];
    // A note of this name appears only where the opener was run with it as its last word.
    std::fs::create_dir_all(folder.path().join("https:/id.example")).unwrap();
    let result = with_browser(&mut valetkey(&daemon.endpoint, &words), folder.path());
    let told = "Sign in in the browser window that has just opened. If none did, open:\n  \
                https://id.example/authorize?a=1&b=2\n";
    assert_eq!(result, outcome(SIGNED_IN, told, 0));
    assert!(folder.path().join("opened").exists());
    assert!(folder.path().join("https:/id.example/authorize?a=1&b=2").exists());
    assert_eq!(
        started(&daemon),
        [
            json!({"kind": "interactive", "scopes": [], "login_hint": "ada", "prompt": "login", "timeout": 60})
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_sign_in_that_was_joined_opens_no_second_page() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = sign_in(page(true), completed("interactive"));
    let result = with_browser(&mut valetkey(&daemon.endpoint, &["login", "graph"]), folder.path());
    assert_eq!((result.stdout.as_str(), result.exit), (SIGNED_IN, 0));
    assert!(result.stderr.starts_with("A sign-in for this is open already"), "{}", result.stderr);
    assert!(!folder.path().join("opened").exists());
}

#[cfg(unix)]
#[test]
fn where_no_browser_opens_the_address_is_told_and_the_openers_words_are_not() {
    let script = write_script("echo no method available; echo for this >&2; exit 3");
    let daemon = sign_in(page(false), completed("interactive"));
    let mut command = valetkey(&daemon.endpoint, &["login", "graph"]);
    // The machine's own openers are not found, the shell is.
    command.env("BROWSER", format!("/bin/sh {}:nowhere", script.path().display())).env("PATH", "");
    let told = "No browser could be opened. To sign in, open this address on this machine:\n  \
                https://id.example/authorize?a=1&b=2\n";
    assert_eq!(run(&mut command, ""), outcome(SIGNED_IN, told, 0));
}

#[cfg(unix)]
#[test]
fn an_address_that_is_not_of_the_web_is_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = flow("interactive", &json!({"auth_uri": "file:///etc/passwd"}));
    let daemon = sign_in(hostile, completed("interactive"));
    let result = with_browser(&mut valetkey(&daemon.endpoint, &["login", "graph"]), folder.path());
    assert!(result.stderr.starts_with("No browser could be opened."), "{}", result.stderr);
    assert!(!folder.path().join("opened").exists());
}

#[test]
fn the_address_alone_is_told_to_those_who_want_no_browser() {
    let daemon = sign_in(page(false), completed("interactive"));
    let told =
        "To sign in, open this address on this machine:\n  https://id.example/authorize?a=1&b=2\n";
    let words = ["login", "graph", "--no-browser"];
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), outcome(SIGNED_IN, told, 0));
}

#[test]
fn as_json_the_result_has_the_account_and_no_token() {
    let daemon = sign_in(device(None), completed("device_code"));
    let words = ["login", "graph", "--output", "json"];
    let result = run(&mut valetkey(&daemon.endpoint, &words), "");
    let expected = json!({
        "app": "a-1", "account": account("u.t", "ada@contoso.com"), "scope": "User.Read", "expires_in": 3599,
    });
    assert_eq!(serde_json::from_str::<Value>(&result.stdout).unwrap(), expected);
    assert!(!result.stdout.contains("at-1"));
    let code = json!({
        "user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900,
        "client_id": "c-1",
    });
    assert_eq!(result.stderr, format!("{code}\n"));
    let daemon = sign_in(page(false), completed("interactive"));
    let result =
        run(&mut valetkey(&daemon.endpoint, &[&words[..], &["--no-browser"]].concat()), "");
    let address = json!({"auth_uri": "https://id.example/authorize?a=1&b=2"});
    assert_eq!((result.stderr, result.exit), (format!("{address}\n"), 0));
}

#[test]
fn a_person_who_says_no_ends_it_with_denied() {
    let failed = flow(
        "device_code",
        &json!({"state": "failed", "error": error("authorization_declined", "they said no", "")}),
    );
    let daemon = sign_in(device(None), failed);
    let result = run(&mut valetkey(&daemon.endpoint, &["login", "graph"]), "");
    let told = format!("{CODE}valetkey: they said no (authorization_declined)\n");
    assert_eq!(result, outcome("", &told, 4));
}

/// A flow that nobody finishes: polls take a moment, and cancelling ends it.
fn endless(started: Value) -> Daemon {
    let mut is_cancelled = false;
    daemon(move |request: &Request| match request.method.as_str() {
        "POST" => (201, started.clone()),
        "DELETE" => {
            is_cancelled = true;
            (204, Value::Null)
        }
        _ if is_cancelled => {
            let error = error("flow_cancelled", "the flow was cancelled", "");
            (200, flow("device_code", &json!({"state": "failed", "error": error})))
        }
        _ => (200, started.clone()),
    })
}

#[test]
fn after_the_time_limit_the_flow_is_cancelled() {
    let daemon = endless(device(None));
    let result = run(&mut valetkey(&daemon.endpoint, &["login", "graph", "--timeout", "1"]), "");
    let told = format!(
        "{CODE}valetkey: nobody finished the sign-in in time\nrun it again; `--timeout` gives more time\n"
    );
    assert_eq!(result, outcome("", &told, 1));
    assert_eq!(
        daemon.requests().last().map(|request| request.method.clone()).as_deref(),
        Some("DELETE")
    );
}

#[cfg(unix)]
fn check_interrupted(daemon: &Daemon, result: &Outcome) {
    assert_eq!(result.exit, 130, "{}", result.stderr);
    let told = "valetkey: the sign-in was cancelled\n";
    assert!(result.stderr.ends_with(told), "{}", result.stderr);
    assert!(daemon.requests().iter().any(|request| request.method == "DELETE"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_closing_the_terminal_cancel_the_flow() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let daemon = endless(device(None));
        let mut command = valetkey(&daemon.endpoint, &["login", "graph"]);
        let piped =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = piped.spawn().unwrap();
        while !daemon.requests().iter().any(|request| request.method == "GET") {
            std::thread::yield_now();
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        check_interrupted(&daemon, &crate::wait(child));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_while_the_browser_is_opened_cancels_the_flow() {
    let script = write_script("kill -INT $PPID");
    let daemon = endless(page(false));
    let mut command = valetkey(&daemon.endpoint, &["login", "graph"]);
    command.env("BROWSER", format!("sh {}", script.path().display()));
    check_interrupted(&daemon, &run(&mut command, ""));
}
