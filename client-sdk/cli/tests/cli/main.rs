//! The real program against a daemon that plays a script: what a person types, what the daemon says, what a person reads.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

mod advice;
mod doctor;
mod help;
mod keys;
mod login;
#[path = "../../../rust/tests/client/support.rs"]
mod support;
mod verbs;

use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::{Daemon, Reply, Request};
use valetkey_ipc::Endpoint;

/// What came of a command line.
#[derive(Debug, PartialEq)]
struct Outcome {
    stdout: String,
    stderr: String,
    exit: i32,
}

fn outcome(stdout: &str, stderr: &str, exit: i32) -> Outcome {
    Outcome { stdout: stdout.to_owned(), stderr: stderr.to_owned(), exit }
}

/// The program with these words, in an environment of its own that starts no daemon and has no screen.
fn valetkey(endpoint: &Endpoint, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_valetkey"));
    for name in [
        "BROWSER",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "SSH_TTY",
        "SSH_CONNECTION",
        "WSL_INTEROP",
        "COLUMNS",
    ] {
        command.env_remove(name);
    }
    command.args(words).env("VALETKEY_SOCKET", endpoint.path()).env("VALETKEY_AUTOSTART", "0");
    command
}

fn run(command: &mut Command, input: &str) -> Outcome {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    wait(child)
}

fn wait(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        exit: output.status.code().unwrap(),
    }
}

/// A daemon that opens `graph` and answers everything else as told.
fn daemon(mut answer: impl FnMut(&Request) -> (u16, Value) + Send + 'static) -> Daemon {
    Daemon::start(move |request| {
        let (status, body) = match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/v1/apps") => (200, app()),
            _ => answer(request),
        };
        Reply::json(status, &body)
    })
}

/// Runs the words against a daemon with one answer.
fn check(words: &[&str], status: u16, body: Value, expected: &Outcome) {
    let daemon = daemon(move |_| (status, body.clone()));
    assert_eq!(&run(&mut valetkey(&daemon.endpoint, words), ""), expected, "{words:?}");
}

fn app() -> Value {
    json!({
        "app": "a-1", "name": "graph", "kind": "public", "client_id": "c-1",
        "authority": "https://login.microsoftonline.com/contoso",
    })
}

fn account(id: &str, username: &str) -> Value {
    json!({
        "home_account_id": id, "environment": "login.microsoftonline.com", "realm": "contoso",
        "username": username, "authority_type": "MSSTS", "local_account_id": "oid-1",
    })
}

fn token() -> Value {
    json!({
        "access_token": "at-1", "token_type": "Bearer", "expires_in": 3599, "token_source": "cache",
        "scope": "User.Read", "id_token_claims": {"oid": "oid-1"},
    })
}

fn error(code: &str, description: &str, hint: &str) -> Value {
    json!({"error": code, "error_description": description, "correlation_id": "7", "hint": hint})
}
