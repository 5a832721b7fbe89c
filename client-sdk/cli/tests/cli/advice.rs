//! What a person is told to do next, and how much at once.

use serde_json::{Value, json};
use valetkey_client::v1::ErrorCode;

use crate::support::{Daemon, Reply};
use crate::{account, app, daemon, error, run, token, valetkey};

#[test]
fn what_to_do_next_is_told_in_the_words_of_the_command_line() {
    for (words, code, next) in [
        (
            &["token", "graph"][..],
            "bad_request",
            "look at what you typed: `--help` tells what each option takes",
        ),
        (&["token", "graph"], "flow_cancelled", "run `valetkey login` again"),
        (&["token", "graph"], "internal", "report it with the correlation id 7"),
        (&["login", "graph"], "invalid_grant", "run `valetkey login`"),
    ] {
        let told = format!("valetkey: it says ({code})\n{next}\n");
        let daemon = daemon(move |_| (400, error(code, "it says", "Fix the call.")));
        assert_eq!(run(&mut valetkey(&daemon.endpoint, words), "").stderr, told);
    }
}

#[test]
fn scopes_that_are_missing_are_named_where_they_can_be_given() {
    for (words, said, next) in [
        (
            "token graph",
            "scopes: name at least one",
            "name one with `--scope`, or once for all with `scopes = [\"…\"]` under `[apps.graph]` in the configuration",
        ),
        ("token --client-id c-1", "scopes: name at least one", "name one with `--scope`"),
        (
            "token graph",
            "min_validity: too long",
            "look at what you typed: `--help` tells what each option takes",
        ),
    ] {
        let daemon = daemon(move |_| (400, error("bad_request", said, "Fix the call.")));
        let words: Vec<_> = words.split(' ').collect();
        let told = format!("valetkey: the {} (bad_request)\n{next}\n", said.replace('_', " "));
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), "").stderr, told);
    }
}

#[test]
fn a_name_that_was_misspelt_is_suggested() {
    let daemon =
        Daemon::start(|request| match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/v1/apps") => Reply::json(200, &json!({"apps": [app()]})),
            ("POST", "/v1/apps")
                if request.body.as_ref().is_some_and(|it| it["name"] == "graph") =>
            {
                Reply::json(200, &app())
            }
            ("GET", _) => {
                Reply::json(200, &json!({"accounts": [account("u.t", "ada@contoso.com")]}))
            }
            ("POST", "/v1/apps") => {
                Reply::json(404, &error("unknown_app", "there is none", "open it"))
            }
            _ => Reply::json(404, &error("unknown_account", "there is none", "list them")),
        });
    for (words, told) in [
        ("token grpah", "did you mean `graph`? `valetkey apps` lists those that there are\n"),
        ("token mail", "(unknown_app)\n`valetkey apps` lists those that there are\n"),
        (
            "token graph --account ada",
            "did you mean `ada@contoso.com`? run `valetkey login graph`\n",
        ),
        (
            "logout graph --account ada@contso.com",
            "did you mean `ada@contoso.com`? `valetkey accounts graph` lists who has\n",
        ),
    ] {
        let words: Vec<_> = words.split(' ').collect();
        let outcome = run(&mut valetkey(&daemon.endpoint, &words), "");
        assert!(outcome.stderr.ends_with(told), "{words:?}: {outcome:?}");
    }
}

#[test]
fn where_nothing_is_configured_it_is_told_how_to() {
    let daemon =
        Daemon::start(|request| match (request.method.as_str(), request.target.as_str()) {
            ("POST", _) => Reply::json(404, &error("unknown_app", "there is none", "open it")),
            (_, "/v1/apps") => Reply::json(200, &json!({"apps": []})),
            _ => Reply::json(200, &status("file", false, "")),
        });
    for (words, told) in [
        (
            "token graph",
            "valetkey: there is none (unknown_app)\n\
             declare it there, with `client_id` and `authority`, or give `--client-id`\n",
        ),
        (
            "apps",
            "No application is open, and none is configured.\n\
             To declare one, write `[apps.NAME]` with its `client_id` and `authority` into /c.toml\n",
        ),
    ] {
        let words: Vec<_> = words.split(' ').collect();
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), "").stderr, told);
    }
    let status = run(&mut valetkey(&daemon.endpoint, &["status"]), "").stdout;
    assert!(status.ends_with("config   none; it would be /c.toml\n"), "{status}");
}

/// Of a daemon without a configuration.
fn status(key: &str, locked: bool, protection: &str) -> Value {
    json!({
        "version": "0.1.0", "pid": 4711, "uptime_seconds": 1, "socket": "/s", "locked": locked,
        "key": {"provider": key, "protection": protection},
        "store": {"path": "/state", "problems": [], "unsaved": 0},
        "configuration": {"expected_at": "/c.toml"},
        "counts": {"apps": 0, "accounts": 0, "access_tokens": 0, "refresh_tokens": 0, "flows": 0},
    })
}

#[test]
fn a_key_in_a_file_is_told_in_lines_that_fit_and_whole_in_json() {
    let protection = "/state/key-1: file permissions alone: …; keyring did not work: ".repeat(9);
    for (key, locked, told) in [
        ("file", false, "key      file: beside the store, with"),
        ("", true, "key      not at hand: /state/key-1: file"),
    ] {
        let status = status(key, locked, &protection);
        let answered = status.clone();
        let daemon = daemon(move |_| (200, answered.clone()));
        let text = run(&mut valetkey(&daemon.endpoint, &["status"]), "").stdout;
        let mut lines = text.lines().take_while(|line| !line.starts_with("holds"));
        assert!(lines.all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains(told) && !text.contains("passphrase: run"), "{text}");
        assert_eq!(text.contains("key rotate"), key == "file", "{text}");
        let whole =
            run(&mut valetkey(&daemon.endpoint, &["status", "--output", "json"]), "").stdout;
        assert_eq!(serde_json::from_str::<Value>(&whole).unwrap()["key"], status["key"]);
    }
}

#[test]
fn what_the_daemon_knows_of_a_refusal_is_told_in_its_words() {
    for (words, http, code, hint, next) in [
        ("key rotate", 403, "access_denied", "Type it again.", "Type it again."),
        ("key rotate", 400, "bad_request", "Name another one.", "Name another one."),
        (
            "key rotate",
            403,
            "access_denied",
            ErrorCode::AccessDenied.row().action,
            "if it was not you who said no, it was `[policy]` in the daemon's configuration",
        ),
        ("unlock", 423, "store_locked", "Type it again.", "Type it again."),
        (
            "status",
            423,
            "store_locked",
            ErrorCode::StoreLocked.row().action,
            "run `valetkey unlock`; then try again",
        ),
    ] {
        let daemon = daemon(move |request| match request.method.as_str() {
            "GET" if code != "store_locked" => (200, status("file", false, "")),
            _ => (http, error(code, "it says", hint)),
        });
        let words: Vec<_> = words.split(' ').collect();
        let told = format!("valetkey: it says ({code})\n{next}\n");
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), "").stderr, told, "{words:?}");
    }
}

#[test]
fn a_token_that_lives_shorter_than_was_asked_for_is_given_with_a_word_about_it() {
    for (wanted, words) in [
        ("3000", ""),
        ("999999", "valetkey: the provider issues tokens for 1 h; 11 d 13 h cannot be had\n"),
    ] {
        let daemon = daemon(|_| (200, token()));
        let words_of_command = ["token", "graph", "--min-validity", wanted];
        let told = run(&mut valetkey(&daemon.endpoint, &words_of_command), "");
        assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("at-1\n", words));
    }
}

#[test]
fn a_user_who_has_locked_what_is_theirs_is_told_so_with_the_key() {
    let mut answer = status("file", false, "somewhere");
    answer["service"] = json!({"administrator": false, "locked_by_you": true});
    let daemon = daemon(move |_| (200, answer.clone()));
    let told = run(&mut valetkey(&daemon.endpoint, &["key"]), "").stdout;
    assert!(
        told.ends_with("locked   what is yours, by yourself: run `valetkey unlock`\n"),
        "{told}"
    );
}
