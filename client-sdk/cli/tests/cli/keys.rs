//! The keys of the store.

use serde_json::{Value, json};

use crate::{check, daemon, outcome, run, valetkey};

/// Of a daemon whose key this provider keeps.
fn status_of(provider: &str) -> Value {
    json!({
        "version": "0.1.0", "pid": 1, "uptime_seconds": 1, "socket": "/s", "locked": false,
        "key": {
            "provider": provider, "protection": "somewhere", "made_at": 1_700_001_800, "records": 12,
            "data_made_at": 951_782_400, "sealing_anew": true,
        },
        "auto_lock": {"after_idle": 900, "on": ["screen"]},
        "store": {"path": "/state", "problems": [], "unsaved": 0},
        "counts": {"apps": 0, "accounts": 0, "access_tokens": 0, "refresh_tokens": 0, "flows": 0},
    })
}

/// What is posted, with this on standard input.
fn posted(provider: &'static str, words: &[&str], input: &str) -> (String, Value) {
    let daemon = daemon(move |request| match request.method.as_str() {
        "GET" => (200, status_of(provider)),
        _ => (204, Value::Null),
    });
    let result = run(&mut valetkey(&daemon.endpoint, words), input);
    assert_eq!(result.stderr, "", "{words:?}");
    let posted = daemon.requests().into_iter().find(|request| request.method == "POST").unwrap();
    (posted.target, posted.body.unwrap_or_default())
}

#[test]
fn the_passphrase_comes_through_standard_input() {
    let unlock = |passphrase: &str| ("/v1/unlock".to_owned(), json!({ "passphrase": passphrase }));
    assert_eq!(posted("passphrase", &["unlock"], "open sesame\r\nmore\n"), unlock("open sesame"));
    assert_eq!(posted("file", &["unlock"], ""), unlock(""));
    let daemon = daemon(|_| (204, Value::Null));
    let result = run(&mut valetkey(&daemon.endpoint, &["lock", "--output", "json"]), "");
    assert_eq!(result, outcome("{\n  \"locked\": true\n}\n", "", 0));
    assert_eq!(daemon.requests()[0].target, "/v1/lock");
}

#[test]
fn key_tells_where_the_key_is_and_how_old() {
    let text = "\
key      file: somewhere
made     2023-11-14T22:43:20Z
records  12; oldest data key: 2000-02-29T00:00:00Z; being sealed anew
locks    on screen, after 900 s without a token
";
    check(&["key"], 200, status_of("file"), &outcome(text, "", 0));
}

#[test]
fn a_rotation_asks_for_the_passphrases_that_it_needs() {
    let rotate = |rest: &[&'static str]| [&["key", "rotate"], rest].concat();
    for (provider, words, input, expected) in [
        ("file", &[][..], "", json!({"wrapping": true, "data": false})),
        ("file", &["--data"], "", json!({"wrapping": false, "data": true})),
        (
            "file",
            &["--provider", "passphrase"],
            "first of all\n",
            json!({
                "wrapping": true, "data": false, "provider": "passphrase", "new_passphrase": "first of all",
            }),
        ),
        ("passphrase", &[], "old\n", json!({"wrapping": true, "data": false, "passphrase": "old"})),
        (
            "passphrase",
            &["--new-passphrase", "--data"],
            "old\nnew and longer\n",
            json!({"wrapping": true, "data": true, "passphrase": "old", "new_passphrase": "new and longer"}),
        ),
        (
            "passphrase",
            &["--provider", "file", "--weaker"],
            "old\n",
            json!({
                "wrapping": true, "data": false, "provider": "file", "weaker": true, "passphrase": "old",
            }),
        ),
    ] {
        let expected = ("/v1/keys/rotate".to_owned(), expected);
        assert_eq!(posted(provider, &rotate(words), input), expected, "{words:?}");
    }
}

/// A daemon that is not ready for a passphrase this often, for so many seconds.
fn reluctant(times: usize, seconds: u64) -> crate::support::Daemon {
    let mut left = times;
    daemon(move |request| match request.method.as_str() {
        "GET" => (200, status_of("passphrase")),
        _ if left > 0 => {
            left -= 1;
            let mut body = crate::error("too_many_requests", "not so soon", "wait");
            body["retry_after"] = seconds.into();
            (429, body)
        }
        _ => (204, Value::Null),
    })
}

#[test]
fn a_short_pause_is_sat_out_and_a_long_one_told() {
    let unlock = |daemon: &crate::support::Daemon| {
        run(&mut valetkey(&daemon.endpoint, &["unlock"]), "open sesame\n")
    };
    let waited = unlock(&reluctant(1, 1));
    let told = "A wrong passphrase was tried before; this one is handed in after 1 s.\n";
    assert_eq!(waited, outcome("Unlocked.\n", told, 0));
    let daemon = reluctant(1, 31);
    let refused = unlock(&daemon);
    let told = "valetkey: not so soon (too_many_requests)\ntry again in 31 s\n";
    assert_eq!(refused, outcome("", told, 1));
    assert_eq!(daemon.requests().len(), 1);
}

#[test]
fn what_protects_less_is_told_in_the_commands_own_words() {
    let daemon = daemon(|request| match request.method.as_str() {
        "GET" => (200, status_of("passphrase")),
        _ => (400, crate::error("bad_request", "weaker: it must be asked for", "say `weaker`")),
    });
    let words = ["key", "rotate", "--provider", "file"];
    let told = "valetkey: file protects less than passphrase\nadd `--weaker` if you accept that\n";
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), "open sesame\n"), outcome("", told, 1));
}
