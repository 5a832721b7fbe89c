//! What one user has, as others see it.

use serde_json::{Value, json};
use valetkey_testkit::entra::{Browser as BrowserSession, Person};
use valetkey_tests::{ALICE, BOB, Caller, Connection, Events, SeveralUsers, request};

use crate::support::{ANN, BEN, ROOT, STRANGER, confidential, definition, private, settled};

/// Everything that can be said about a thing by its id.
const VERBS: &[(&str, &str, &str)] = &[
    ("GET", "/v1/apps/ID/accounts", ""),
    ("DELETE", "/v1/apps/ID/accounts/ACCOUNT", ""),
    ("POST", "/v1/apps/ID/token", r#"{"scopes": ["https://graph.contoso.com/Mail.Read"]}"#),
    (
        "POST",
        "/v1/apps/ID/token",
        r#"{"grant": "client_credentials", "scopes": ["https://vault.contoso.com/.default"]}"#,
    ),
    ("POST", "/v1/apps/ID/proofs", r#"{"method": "GET", "url": "https://graph.contoso.com/"}"#),
    ("DELETE", "/v1/apps/ID/tokens", ""),
    ("GET", "/v1/apps/ID/cache", ""),
    ("PUT", "/v1/apps/ID/cache", r#"{"cache": {}}"#),
    (
        "POST",
        "/v1/apps/ID/flows",
        r#"{"kind": "device_code", "scopes": ["https://graph.contoso.com/Mail.Read"]}"#,
    ),
    ("DELETE", "/v1/apps/ID", ""),
    ("POST", "/v1/apps", r#"{"name": "ID"}"#),
    ("GET", "/v1/flows/ID?wait=0", ""),
    ("POST", "/v1/flows/ID/complete", r#"{"auth_response": {"code": "x", "state": "y"}}"#),
    ("DELETE", "/v1/flows/ID", ""),
    ("PUT", "/v1/secrets/ID", r#"{"secret": "x"}"#),
    ("DELETE", "/v1/secrets/ID", ""),
];

/// What is answered, but for the id itself and for what is of this one request.
async fn ask(
    connection: &mut Connection,
    verb: (&str, &str, &str),
    id: &str,
    account: &str,
) -> (u16, String) {
    let (method, path, body) = verb;
    let fill = |text: &str| text.replace("ID", id).replace("ACCOUNT", account);
    let body = fill(body);
    let headers = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    let answer = connection.ask(&request(method, &fill(path), &headers, body.as_bytes())).await;
    let mut said = if answer.body.is_empty() { Value::Null } else { answer.json() };
    if let Some(members) = said.as_object_mut() {
        members.remove("correlation_id");
    }
    (answer.status, said.to_string().replace(id, "ID").replace(account, "ACCOUNT"))
}

/// Another text of the same length and letters.
fn alike(id: &str) -> String {
    let other = |letter: char| match letter {
        '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from(letter as u8 + 1),
        '9' => '0',
        'z' => 'a',
        'Z' => 'A',
        other => other,
    };
    id.chars().map(other).collect()
}

#[tokio::test]
async fn what_one_user_has_looks_to_others_as_if_it_were_not_there() {
    let Some((machine, _entra, mut ann)) = settled().await else { return };
    for other in [STRANGER, BEN, ROOT] {
        for id in &ann.ids {
            for verb in VERBS {
                let mut connection = machine.connect_as(other);
                let told = ask(&mut connection, *verb, id, &ann.account).await;
                let nothing = ask(&mut connection, *verb, &alike(id), &alike(&ann.account)).await;
                let may_be = verb.1.starts_with("/v1/secrets/") && other == ROOT;
                assert!(told.0 >= 400 || may_be, "{other} {verb:?} {id}: {told:?}");
                assert_eq!(told, nothing, "{other} {verb:?} {id}");
            }
        }
    }
    assert_eq!(ann.usual.usernames().await, [ALICE]);
    assert_eq!(ann.usual.token(json!({})).await.success()["access_token"], ann.token.as_str());
}

#[tokio::test]
async fn two_users_of_one_application_have_nothing_of_each_other() {
    let Some((machine, entra, mut ann)) = settled().await else { return };
    let mut ben = Caller::open(machine.connect_as(BEN), &definition(&entra)).await;
    assert_eq!(ben.app, ann.usual.app, "the same definition has the same id");
    assert_eq!(ben.usernames().await, [""; 0]);
    assert_eq!(ben.token(json!({})).await.refusal().1, "sign_in_needed");
    let mut private = Caller::open(machine.connect_as(BEN), &private(&entra)).await;
    let path = format!("/v1/apps/{}/cache", private.app);
    assert_eq!(private.connection.get(&path).await.success()["cache"], json!({}));
    let mut service = Caller::open(machine.connect_as(BEN), &confidential(&entra)).await;
    let own =
        json!({"grant": "client_credentials", "scopes": ["https://vault.contoso.com/.default"]});
    assert_eq!(service.token(own).await.success()["token_source"], "identity_provider");

    // The same sign-in is joined by Ann's programs, and by nobody else's.
    let wish = json!({"kind": "device_code", "scopes": ["https://graph.contoso.com/Files.Read"]});
    let flow = ben.start_flow(wish).await;
    assert_eq!(flow.status, 201, "{}", flow.json());
    assert_ne!(flow.json()["flow"], ann.ids[1].as_str());
    ben.sign_in(entra.control(), BOB).await;
    assert_eq!(ben.usernames().await, [BOB]);
    assert_eq!(ann.usual.usernames().await, [ALICE]);

    for account in [ann.account.as_str(), &alike(&ann.account)] {
        let asked = ben.token(json!({"home_account_id": account})).await;
        assert_ne!(asked.status, 200, "{}", asked.json());
        let signed_out = ben.sign_out(account).await.refusal();
        assert_eq!(signed_out, (404, "unknown_account".to_owned()));
    }
    assert_eq!(ann.usual.usernames().await, [ALICE]);
}

#[tokio::test]
async fn nothing_that_is_told_unasked_is_about_others() {
    let Some((machine, entra, ann)) = settled().await else { return };
    let mut streams = Vec::new();
    for uid in [ANN, BEN, ROOT] {
        streams.push(Events::open(machine.connect_as(uid)).await);
    }
    let mut again = Caller::open(machine.connect_as(ANN), &definition(&entra)).await;
    again.sign_in(entra.control(), ALICE).await;
    let mut traces = String::new();
    for (uid, user) in [(BEN, BOB), (ROOT, BOB)] {
        let mut caller = Caller::open(machine.connect_as(uid), &definition(&entra)).await;
        caller.sign_in(entra.control(), user).await;
    }
    assert_eq!(streams[0].next().await.unwrap().1["home_account_id"], ann.account.as_str());
    for stream in &mut streams[1..] {
        let (_, first) = stream.next().await.unwrap();
        assert!(first["home_account_id"].is_string(), "{first}");
        traces += &first.to_string();
    }
    for uid in [BEN, ROOT] {
        for path in ["/v1/status", "/v1/apps", "/v1/audit?limit=10000", "/v1/diagnosis"] {
            let told = machine.connect_as(uid).get(path).await.success();
            traces += &told.to_string();
        }
        let status = machine.connect_as(uid).get("/v1/status").await.success();
        assert_eq!(status["counts"]["accounts"], 1);
        let audit = machine.connect_as(uid).get("/v1/audit").await.success();
        assert!(!audit["records"].as_array().unwrap().is_empty());
        assert_eq!(audit.to_string().contains("reports"), uid == ROOT, "{audit}");
        let apps = machine.connect_as(uid).get("/v1/apps").await.success();
        assert!(!apps.to_string().contains("reports"), "{apps}");
    }
    // Root has set the secret of this name itself, and Ben has the same application as Ann.
    let known = ["reports", ann.usual.app.as_str()];
    for trace in ann.traces().into_iter().filter(|trace| !known.contains(trace)) {
        assert!(!traces.contains(trace), "{trace} in {traces}");
    }
    let audit = machine.connect_as(ANN).get("/v1/audit").await.success().to_string();
    assert!(audit.contains(&ann.account) && audit.contains("reports"), "{audit}");
}

#[tokio::test]
async fn a_users_lock_is_that_users_alone() {
    let Some((machine, entra, mut ann)) = settled().await else { return };
    let mut ben = Caller::open(machine.connect_as(BEN), &definition(&entra)).await;
    ben.sign_in(entra.control(), BOB).await;
    assert_eq!(machine.connect_as(ANN).post("/v1/lock", &json!({})).await.status, 204);
    assert_eq!(ann.usual.token(json!({})).await.refusal(), (423, "store_locked".to_owned()));
    let mut other = machine.connect_as(ANN);
    assert_eq!(other.post("/v1/apps", &definition(&entra)).await.refusal().0, 423);
    assert_eq!(other.post("/v1/apps", &confidential(&entra)).await.refusal().0, 423);
    for path in ["/v1/grants", "/v1/prompts?wait=0"] {
        assert_eq!(
            other.get(path).await.refusal().0,
            423,
            "{path}: what she has said is locked as well"
        );
    }
    let status = other.get("/v1/status").await.success();
    assert_eq!(status["service"], json!({"administrator": false, "locked_by_you": true}));
    assert_eq!(ben.token(json!({})).await.success()["token_source"], "cache");
    for uid in [BEN, ROOT] {
        let unlocked = machine.connect_as(uid).post("/v1/unlock", &json!({"passphrase": ""})).await;
        assert_eq!(unlocked.status, 204);
    }
    assert_eq!(other.post("/v1/apps", &definition(&entra)).await.refusal().0, 423);
    let output = machine.command_as(ANN, &["unlock"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut again = Caller::open(machine.connect_as(ANN), &definition(&entra)).await;
    assert_eq!(again.token(json!({})).await.success()["access_token"], ann.token.as_str());

    let denied = || (403, "access_denied".to_owned());
    let post = async |uid, path| machine.connect_as(uid).post(path, &json!({})).await;
    assert_eq!(post(ANN, "/v1/lock?everybody=true").await.refusal(), denied());
    let rotation = json!({"wrapping": true});
    let rotated = machine.connect_as(ANN).post("/v1/keys/rotate", &rotation).await;
    assert_eq!(rotated.refusal(), denied());
    assert_eq!(post(ROOT, "/v1/lock?everybody=true").await.status, 204);
    assert_eq!(ben.token(json!({})).await.refusal(), (423, "store_locked".to_owned()));
    assert_eq!(post(ANN, "/v1/unlock").await.refusal(), denied());
    assert_eq!(post(ROOT, "/v1/unlock").await.status, 204);
    let rotated = machine.connect_as(ROOT).post("/v1/keys/rotate", &rotation).await;
    assert_eq!(rotated.status, 204);
    let mut again = Caller::open(machine.connect_as(BEN), &definition(&entra)).await;
    assert_eq!(again.token(json!({})).await.success()["token_source"], "cache");
}

#[tokio::test]
async fn one_users_browser_is_none_of_anothers() {
    let Some((machine, entra, mut ann)) = settled().await else { return };
    let flow = ann.usual.start_flow(json!({"kind": "interactive"})).await.success();
    let url = flow["auth_uri"].as_str().unwrap();
    let session = BrowserSession::default();
    let redirect = entra.control().authorize(url, ALICE, Person::Agrees, &session).unwrap();
    let port = valetkey_tests::redirect_port(&redirect.redirect_uri);
    let form = redirect.form_body();
    let post = format!(
        "POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    for other in [BEN, ROOT, valetkey_tests::SERVICE] {
        let kept_out = SeveralUsers::browse_as(other, port).try_ask(post.as_bytes()).await;
        assert!(kept_out.is_err(), "{other}: {kept_out:?}");
    }
    assert_eq!(ann.usual.wait_for(&flow, 0).await["state"], "pending");
    let page = SeveralUsers::browse_as(ANN, port).try_ask(post.as_bytes()).await.unwrap();
    assert_eq!(page.status, 200);
    assert_eq!(ann.usual.wait_for(&flow, 30).await["state"], "completed");
    drop(machine);
}
