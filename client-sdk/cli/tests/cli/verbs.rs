//! Everything but signing in.

use serde_json::{Value, json};
#[cfg(unix)]
use valetkey_ipc::Endpoint;

use crate::support::{Daemon, Reply, new_endpoint};
use crate::{account, app, check, daemon, error, outcome, run, token, valetkey};

const TOKEN: &[&str] = &["token", "graph", "--scope", "User.Read"];

#[test]
fn token_prints_the_access_token_alone() {
    check(TOKEN, 200, token(), &outcome("at-1\n", "", 0));
}

#[test]
fn token_as_json_is_the_result_with_msals_keys() {
    let daemon = daemon(|_| (200, token()));
    let outcome =
        run(&mut valetkey(&daemon.endpoint, &[TOKEN, &["--output", "json"]].concat()), "");
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap(), token());
    assert_eq!((outcome.stderr.as_str(), outcome.exit), ("", 0));
}

#[test]
fn token_passes_on_what_was_typed() {
    let daemon = daemon(|_| (200, token()));
    let words = [
        "token",
        "--client-id",
        "c-1",
        "--oidc-authority",
        "https://id.example",
        "--scope",
        "a b",
        "--scope",
        "c",
        "--account",
        "ada@contoso.com",
        "--force-refresh",
        "--min-validity",
        "600",
        "--claims",
        "{}",
    ];
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), outcome("at-1\n", "", 0));
    assert!(daemon.requests().iter().all(|request| request.connection == 1));
    let bodies: Vec<_> = daemon.requests().into_iter().filter_map(|request| request.body).collect();
    assert_eq!(
        bodies,
        [
            json!({"kind": "public", "client_id": "c-1", "oidc_authority": "https://id.example"}),
            json!({
                "grant": "silent", "scopes": ["a", "b", "c"], "account": "ada@contoso.com",
                "force_refresh": true, "min_validity": 600, "claims_challenge": "{}",
            }),
        ]
    );
}

#[test]
fn a_token_that_needs_a_person_names_the_command_to_type() {
    let body = error("sign_in_needed", "nobody has signed in", "start a flow");
    check(
        TOKEN,
        409,
        body.clone(),
        &outcome(
            "",
            "valetkey: nobody has signed in (sign_in_needed)\n\
             run `valetkey login graph --scope User.Read`\n",
            3,
        ),
    );
    let words = [
        "token",
        "--client-id",
        "c-1",
        "--authority",
        "https://login.microsoftonline.com/contoso",
        "--scope",
        "a b",
        "--account",
        "ada@contoso.com",
    ];
    check(
        &words,
        409,
        body,
        &outcome(
            "",
            "valetkey: nobody has signed in (sign_in_needed)\n\
             run `valetkey login --client-id c-1 --authority https://login.microsoftonline.com/contoso \
             --scope a --scope b --login-hint ada@contoso.com`\n",
            3,
        ),
    );
}

#[test]
fn a_private_cloud_is_vouched_for_as_in_the_configuration() {
    let refusal = error("sign_in_needed", "nobody has signed in", "");
    let daemon = daemon(move |_| (409, refusal.clone()));
    let said = "--client-id c-1 --authority https://login.contoso.example/t \
                --no-validate-authority --no-instance-discovery";
    let words: Vec<_> = ["token"].into_iter().chain(said.split(' ')).collect();
    let told =
        format!("valetkey: nobody has signed in (sign_in_needed)\nrun `valetkey login {said}`\n");
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), outcome("", &told, 3));
    assert_eq!(
        daemon.requests()[0].body,
        Some(json!({
            "kind": "public", "client_id": "c-1", "authority": "https://login.contoso.example/t",
            "validate_authority": false, "instance_discovery": false,
        }))
    );
}

#[test]
fn a_claims_challenge_goes_into_the_command_to_type() {
    let mut body = error("interaction_required", "AADSTS50076: more is needed", "");
    body["claims"] = r#"{"access_token":{}}"#.into();
    check(
        TOKEN,
        409,
        body,
        &outcome(
            "",
            "valetkey: AADSTS50076: more is needed (interaction_required)\n\
             run `valetkey login graph --scope User.Read --claims '{\"access_token\":{}}'`\n",
            3,
        ),
    );
}

#[test]
fn several_accounts_are_listed() {
    let answer = |request: &crate::support::Request| match request.method.as_str() {
        "GET" => {
            (200, json!({"accounts": [account("u.t", "ada@contoso.com"), account("v.t", "")]}))
        }
        _ => (409, error("account_ambiguous", "name one: ada@contoso.com (u.t), v.t", "name one")),
    };
    let daemon = daemon(answer);
    let text = "valetkey: several accounts may be meant\n  ada@contoso.com (u.t)\n  v.t\n\
                name one with `--account`\n";
    assert_eq!(run(&mut valetkey(&daemon.endpoint, TOKEN), ""), outcome("", text, 1));
    let as_json =
        run(&mut valetkey(&daemon.endpoint, &[TOKEN, &["--output", "json"]].concat()), "");
    let body: Value = serde_json::from_str(&as_json.stderr).unwrap();
    assert_eq!(body["error"], "account_ambiguous");
    assert_eq!(body["accounts"][1]["home_account_id"], "v.t");
}

#[test]
fn every_kind_of_failure_has_its_exit_code() {
    for (status, code, exit) in [
        (409, "sign_in_needed", 3),
        (409, "invalid_grant", 3),
        (404, "unknown_account", 3),
        (403, "access_denied", 4),
        (400, "authorization_declined", 4),
        (429, "throttled", 1),
        (500, "internal", 1),
    ] {
        let daemon = daemon(move |_| (status, error(code, "it says", "do this")));
        let outcome = run(&mut valetkey(&daemon.endpoint, TOKEN), "");
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (exit, ""), "{code}");
        assert!(
            outcome.stderr.starts_with(&format!("valetkey: it says ({code})\n")),
            "{outcome:?}"
        );
    }
}

#[test]
fn errors_as_json_are_the_daemons_body_on_standard_error() {
    let words = ["--output", "json", "token", "graph"];
    let expected = json!({
        "error": "throttled", "error_description": "wait", "correlation_id": "7", "retry_after": 3,
        "hint": "try again in 3 s",
    });
    let mut body = error("throttled", "wait", "Wait `retry_after` seconds.");
    body["retry_after"] = 3.into();
    check(&words, 429, body, &outcome("", &format!("{expected}\n"), 1));
}

#[test]
fn without_a_daemon_the_exit_code_is_five() {
    let (endpoint, _folder) = new_endpoint();
    let text =
        format!("valetkey: connect to {endpoint}: no daemon is running there\nrun `valetkeyd`\n");
    assert_eq!(run(&mut valetkey(&endpoint, TOKEN), ""), outcome("", &text, 5));
    let as_json = run(&mut valetkey(&endpoint, &["status", "--output", "json"]), "");
    let body: Value = serde_json::from_str(&as_json.stderr).unwrap();
    assert_eq!((&body["error"], as_json.exit), (&json!("no_daemon"), 5));
}

#[cfg(unix)]
#[test]
fn a_path_that_no_socket_can_have_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::at(folder.path().join("x".repeat(120)));
    let outcome = run(&mut valetkey(&endpoint, &["status"]), "");
    let words = [
        &format!("connect to {endpoint}: the path has "),
        "\nset VALETKEY_SOCKET to a shorter path\n",
    ];
    assert!(words.iter().all(|word| outcome.stderr.contains(*word)), "{outcome:?}");
    assert_eq!(outcome.exit, 5);
}

#[test]
fn what_is_no_daemon_is_a_failure() {
    let daemon = Daemon::start(|_| Reply::raw("220 mail.example ESMTP\r\n"));
    let text = "valetkey: read the daemon's answer: it is no HTTP\n\
                install the daemon and this program in the same release\n";
    assert_eq!(run(&mut valetkey(&daemon.endpoint, TOKEN), ""), outcome("", text, 1));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let (endpoint, _folder) = new_endpoint();
    for words in [
        &["token"][..],
        &["tokn"],
        &["token", "graph", "--client-id", "c"],
        &["token", "--client-id", "c", "--authority", "https://a", "--oidc-authority", "https://b"],
        &["token", "graph", "--no-validate-authority"],
        &["token", "--client-id", "c", "--oidc-authority", "https://b", "--no-instance-discovery"],
        &["login", "graph", "--device-code", "--no-browser"],
        &["login", "graph", "--timeout", "0"],
        &["logout", "graph", "--all", "--account", "a"],
        &["status", "--output", "xml"],
    ] {
        let outcome = run(&mut valetkey(&endpoint, words), "");
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (2, ""), "{words:?}: {outcome:?}");
    }
}

#[test]
fn path_needs_no_daemon() {
    let (endpoint, _folder) = new_endpoint();
    let expected = outcome(&format!("{endpoint}\n"), "", 0);
    assert_eq!(run(&mut valetkey(&endpoint, &["path"]), ""), expected);
}

#[test]
fn accounts_are_a_table() {
    let accounts =
        json!({"accounts": [account("u.t", "ada@contoso.com"), account("v.t", "e\u{1b}[2Jve")]});
    let table = "USER             TENANT   PROVIDER                   HOME ACCOUNT ID\n\
                 ada@contoso.com  contoso  login.microsoftonline.com  u.t\n\
                 e\u{fffd}[2Jve          contoso  login.microsoftonline.com  v.t\n";
    check(&["accounts", "graph"], 200, accounts, &outcome(table, "", 0));
    check(
        &["accounts", "graph"],
        200,
        json!({"accounts": []}),
        &outcome("", "Nobody has signed in.\n", 0),
    );
}

#[test]
fn accounts_of_all_applications_are_told_once() {
    let daemon = daemon(|request| match request.target.as_str() {
        "/v1/apps" => (200, json!({"apps": [app(), app()]})),
        _ => (200, json!({"accounts": [account("u.t", "ada@contoso.com")]})),
    });
    let outcome = run(&mut valetkey(&daemon.endpoint, &["accounts"]), "");
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome:?}");
}

#[test]
fn apps_are_a_table() {
    let daemon = daemon(|_| (200, json!({"apps": [app()]})));
    let table = "NAME   CLIENT ID  AUTHORITY\ngraph  c-1        https://login.microsoftonline.com/contoso\n";
    assert_eq!(run(&mut valetkey(&daemon.endpoint, &["apps"]), ""), outcome(table, "", 0));
}

#[test]
fn status_says_in_words_how_the_tokens_are_kept() {
    let status = json!({
        "version": "0.1.0", "pid": 4711, "uptime_seconds": 3725, "socket": "/run/broker.sock",
        "locked": true, "key": {"provider": "passphrase", "protection": "it waits for the passphrase"},
        "store": {"path": "/state", "problems": ["set aside: tokens.redb.damaged"], "unsaved": 1},
        "configuration": {
            "path": "/c.toml", "problem": "/c.toml:3: it is wrong", "at_next_start": ["vault.key"],
        },
        "counts": {"apps": 1, "accounts": 2, "access_tokens": 3, "refresh_tokens": 1, "flows": 0},
    });
    let text = "\
daemon   valetkeyd 0.1.0, process 4711, up for 1 h 2 min
socket   /run/broker.sock
store    /state
key      passphrase: it waits for the passphrase
holds    what it holds is seen when it is unlocked
locked   the store waits for its passphrase: run `valetkey unlock`
unsaved  1 change could not be written: free some space on the disk
problem  set aside: tokens.redb.damaged
config   /c.toml
problem  the configuration is in force as it was before: /c.toml:3: it is wrong
pending  vault.key: takes effect at the next start
";
    let mut open = status.clone();
    open["locked"] = json!(false);
    check(&["status"], 200, status, &outcome(text, "", 0));
    let (seen, waits) = (
        "1 application, 2 accounts, 3 access tokens, 1 refresh token, 0 open\n         sign-ins\n",
        "what it holds is seen when it is unlocked\nlocked   the store waits for its passphrase: run `valetkey unlock`\n",
    );
    check(&["status"], 200, open, &outcome(&text.replace(waits, seen), "", 0));
}

#[test]
fn logout_signs_out_the_one_who_is_meant() {
    let two =
        json!({"accounts": [account("u.t", "ada@contoso.com"), account("v.t", "eve@contoso.com")]});
    for (words, removed, expected) in [
        (
            &["--account", "EVE@contoso.com"][..],
            &["v.t"][..],
            outcome("Signed out: eve@contoso.com (v.t)\n", "", 0),
        ),
        (&["--account", "u.t"], &["u.t"], outcome("Signed out: ada@contoso.com (u.t)\n", "", 0)),
        (
            &["--all"],
            &["u.t", "v.t"],
            outcome(
                "Signed out: ada@contoso.com (u.t)\nSigned out: eve@contoso.com (v.t)\n",
                "",
                0,
            ),
        ),
        (
            &[],
            &[],
            outcome(
                "",
                "valetkey: several accounts may be meant\n  ada@contoso.com (u.t)\n  eve@contoso.com (v.t)\n\
                 name one with `--account`, or sign all of them out with `--all`\n",
                1,
            ),
        ),
        (
            &["--account", "bob"],
            &[],
            outcome(
                "",
                "valetkey: nobody of the name bob has signed in\n`valetkey accounts graph` lists who has\n",
                1,
            ),
        ),
    ] {
        let accounts = two.clone();
        let daemon = daemon(move |request| match request.method.as_str() {
            "GET" => (200, accounts.clone()),
            _ => (204, Value::Null),
        });
        let words = [&["logout", "graph"], words].concat();
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), expected, "{words:?}");
        let requests = daemon.requests();
        let deleted = requests.iter().filter(|request| request.method == "DELETE");
        let ids: Vec<_> = deleted.filter_map(|request| request.target.rsplit('/').next()).collect();
        assert_eq!(ids, removed, "{words:?}");
    }
}

#[test]
fn events_are_lines() {
    let event = json!({
        "event": "sign_in_needed", "at": 1_700_001_800, "client_id": "c-1", "scope": "User.Read Mail.Read",
    });
    let data = format!("event: sign_in_needed\ndata: {event}\n\n");
    let bytes = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{data}\r\n0\r\n\r\n",
        data.len()
    );
    let daemon = Daemon::start(move |_| Reply::raw(&bytes));
    let text = "2023-11-14T22:43:20Z  sign in needed  app=c-1  scope=User.Read Mail.Read\n";
    let outcome = run(&mut valetkey(&daemon.endpoint, &["events"]), "");
    assert_eq!(outcome.stdout, text);
    let as_json = run(&mut valetkey(&daemon.endpoint, &["events", "--output", "json"]), "");
    assert_eq!(serde_json::from_str::<Value>(&as_json.stdout).unwrap(), event);
}

#[test]
fn events_end_with_the_daemon_and_that_is_no_success() {
    for end in ["0\r\n\r\n", ""] {
        let bytes = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{end}");
        let daemon = Daemon::start(move |_| Reply::raw(&bytes));
        let text = "valetkey: the daemon has ended\nrun it again for what happens from then on\n";
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &["events"]), ""), outcome("", text, 5));
    }
}

#[test]
fn grants_are_revoked_by_as_much_of_their_id_as_it_takes() {
    let grant = |id: &str| {
        json!({
            "id": id, "word": "always", "program": "/usr/bin/curl", "environment": "e",
            "home_account_id": "u.t", "since": 0,
        })
    };
    let three = json!({"grants": [grant("gab1"), grant("gab2"), grant("-old")]});
    let unknown = |what: &str| {
        let next = "`valetkey grants` lists those that there are";
        outcome("", &format!("valetkey: {what}\n{next}\n"), 1)
    };
    let revoked = |text: &str| outcome(text, "", 0);
    let again = "the person is asked again.\n";
    for (listed, words, expected, requests) in [
        (&three, "gab2", revoked(&format!("Revoked; {again}")), &["/v1/grants/gab2"][..]),
        (
            &three,
            "gab1 -- -o",
            revoked(&format!("Revoked 2; {again}")),
            &["/v1/grants/gab1", "/v1/grants/-old"],
        ),
        (&three, "gab1 ga", unknown("several grants have an id that begins with \"ga\""), &[]),
        (&three, "x", unknown("no grant has the id \"x\", or one that begins with it"), &[]),
        (&three, "--all", revoked(&format!("Revoked 3; {again}")), &["/v1/grants"]),
        (
            &three,
            "--all --output json",
            revoked("{\n  \"revoked\": [\n    \"gab1\",\n    \"gab2\",\n    \"-old\"\n  ]\n}\n"),
            &["/v1/grants"],
        ),
        (
            &json!({"grants": []}),
            "--all",
            outcome("", "Nothing has been said about any program.\n", 0),
            &[],
        ),
    ] {
        let listed = listed.clone();
        let daemon = daemon(move |request| match request.method.as_str() {
            "GET" => (200, listed.clone()),
            _ => (204, Value::Null),
        });
        let words: Vec<_> = ["grants", "revoke"].into_iter().chain(words.split(' ')).collect();
        assert_eq!(run(&mut valetkey(&daemon.endpoint, &words), ""), expected, "{words:?}");
        let asked = daemon.requests();
        let asked = asked.iter().filter(|request| request.method == "DELETE");
        let asked: Vec<_> = asked.map(|request| request.target.as_str()).collect();
        assert_eq!(asked, requests, "{words:?}");
    }
}
