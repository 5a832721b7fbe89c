//! The cache that a user's programs share, moved in from another library and out again as a whole.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Answer, BOB, Caller, Events, Machine, Program, World, patiently};

const IMPORT: &str = "/v1/cache/import";
const EXPORT: &str = "/v1/cache/export";
const PASSPHRASE: &str = "correct horse battery staple";

async fn import(machine: &Machine, cache: Value) -> Answer {
    machine.connect().await.post(IMPORT, &json!({ "cache": cache })).await
}

async fn export(machine: &Machine, request: Value) -> Answer {
    machine.connect().await.post(EXPORT, &request).await
}

async fn content(machine: &Machine) -> Value {
    export(machine, json!({"unencrypted": true})).await.success()["cache"].take()
}

fn refresh_tokens(cache: &Value) -> Vec<&Value> {
    cache["RefreshToken"].as_object().unwrap().values().map(|entry| &entry["secret"]).collect()
}

#[tokio::test]
async fn a_cache_moves_from_one_machine_to_another() {
    let old = World::start().await;
    let token = old.caller().await.sign_in(old.control(), ALICE).await;
    let moved = content(&old.machine).await;
    assert!(old.machine.logs().contains("handed out in clear"), "an export is logged");

    let machine = Machine::start().await;
    let mut caller = Caller::open(machine.connect().await, &old.definition()).await;
    assert_eq!(caller.token(json!({})).await.refusal().1, "sign_in_needed");
    let told = import(&machine, moved.clone()).await.success();
    let one_each = json!({"accounts": 1, "refresh_tokens": 1, "access_tokens": 1, "id_tokens": 1, "app_metadata": 1});
    assert_eq!(told, json!({"taken": one_each, "skipped": []}));
    assert_eq!(caller.token(json!({})).await.success()["access_token"], token["access_token"]);
    let forced = caller.token(json!({"force_refresh": true})).await.success();
    assert_ne!(forced["access_token"], token["access_token"]);

    let again = import(&machine, moved).await.success();
    assert_eq!(
        again["taken"].as_object().unwrap().values().map(|it| it.as_u64().unwrap()).sum::<u64>(),
        0
    );
    assert_eq!(again["skipped"].as_array().unwrap().len(), 5, "{again}");
}

/// An account of the same home account id as `known`, in another tenant, under another name.
fn renamed(known: &Value, username: &str) -> Value {
    let mut account = known.clone();
    account["realm"] = json!("elsewhere");
    account["username"] = json!(username);
    json!({"Account": {"renamed": account}})
}

#[tokio::test]
async fn no_import_makes_an_account_look_like_another_one_to_a_rule() {
    let rule = format!("[[rules]]\nname = \"bob alone\"\naccounts = [{BOB:?}]\n");
    let world = World::start().await;
    world.caller().await.sign_in(world.control(), ALICE).await;
    let exported = content(&world.machine).await;
    let known = exported["Account"].as_object().unwrap().values().next().unwrap();
    for is_imported_first in [false, true] {
        let machine = Machine::start().await;
        let mut caller = Caller::open(machine.connect().await, &world.definition()).await;
        if is_imported_first {
            import(&machine, renamed(known, BOB)).await.success();
        }
        caller.sign_in(world.control(), ALICE).await;
        let told = import(&machine, renamed(known, BOB)).await.success();
        assert_eq!(told["taken"]["accounts"], 0, "{told}");
        assert_eq!(caller.accounts().await[0]["username"], ALICE, "{is_imported_first}");
        machine.write("config/valetkey/config.toml", &rule);
        for account in [json!({}), json!({"account": BOB})] {
            let mut caller = Caller::open(machine.connect().await, &world.definition()).await;
            let refused = caller.token(account.clone()).await;
            assert!(refused.status >= 400, "{is_imported_first} {account}");
        }
    }
}

#[tokio::test]
async fn an_export_is_told_and_can_be_forbidden() {
    let world = World::start().await;
    let mut events = Events::open(world.machine.connect().await).await;
    content(&world.machine).await;
    let (kind, told) = events.next().await.unwrap();
    assert_eq!((kind.as_str(), &told["event"]), ("cache_exported", &json!("cache_exported")));
    assert!(told.get("app").is_none(), "{told}");

    let machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[policy]\nforbid_cache_export = true\n");
    let world = World::with(machine, Options::default()).await;
    let refused = export(&world.machine, json!({"unencrypted": true})).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    let said = refused.json()["error_description"].to_string();
    assert!(said.contains("forbid_cache_export"), "{said}");
    let mut command = world.machine.command(Program::Cli);
    command.args(["cache", "export", "--unencrypted", "--yes"]);
    let output = patiently("valetkey cache export", command.output()).await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(4), &b""[..]), "{told}");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "this broker hands out no cache: `forbid_cache_export` in [policy]",
        "Whoever writes the daemon's configuration can set it to false.",
    ] {
        assert!(told.contains(words), "{told}");
    }
    import(&world.machine, json!({"AccessToken": {}})).await.success();
}

#[tokio::test]
async fn where_consent_or_rules_keep_programs_from_accounts_an_export_takes_a_rule() {
    let world = World::start().await;
    world.caller().await.sign_in(world.control(), ALICE).await;
    let bounded = format!("[[rules]]\naccounts = [{BOB:?}]\n");
    let of_mail = format!("[[rules]]\napps = [\"mail\"]\naccounts = [{BOB:?}]\n");
    let may = "[[rules]]\nmay_administer = true\n";
    let asks = "[policy]\nconsent = \"ask\"\n";
    for (config, is_given) in [
        (asks.to_owned(), false),
        (format!("{asks}{may}"), true),
        (bounded.clone(), false),
        (format!("{bounded}may_administer = true\n"), true),
        (of_mail.clone(), false),
        (format!("{of_mail}{may}"), true),
    ] {
        world.machine.write("config/valetkey/config.toml", &config);
        let answer = export(&world.machine, json!({"unencrypted": true})).await;
        if is_given {
            assert_eq!(refresh_tokens(&answer.success()["cache"]).len(), 1, "{config}");
        } else {
            assert_eq!(answer.refusal(), (403, "access_denied".to_owned()), "{config}");
            let told = answer.json()["hint"].to_string();
            assert!(told.contains("may_administer = true"), "{told}");
        }
    }
}

#[tokio::test]
async fn what_was_taken_over_survives_a_kill_and_what_was_there_stays() {
    let mut world = World::start().await;
    world.caller().await.sign_in(world.control(), ALICE).await;
    let alices = content(&world.machine).await;
    let mut foreign = json!({"RefreshToken": {"any key": {
        "secret": "RT of bob", "environment": "login.contoso.com", "home_account_id": "b.t",
        "client_id": "c", "other": {"deep": [1, null]}}}});
    import(&world.machine, foreign.clone()).await.success();
    world.machine.restart().await;
    let both = content(&world.machine).await;
    let mut expected = refresh_tokens(&alices);
    let bobs = foreign["RefreshToken"]["any key"].take();
    expected.push(&bobs["secret"]);
    expected.sort_by_key(|secret| secret.to_string());
    let mut held = refresh_tokens(&both);
    held.sort_by_key(|secret| secret.to_string());
    assert_eq!(held, expected);
    let kept = &both["RefreshToken"]["b.t-login.contoso.com-refreshtoken-c--"];
    assert_eq!(kept["other"], bobs["other"], "another library's member");
}

#[tokio::test]
async fn what_is_no_cache_is_refused_and_changes_nothing() {
    let world = World::start().await;
    world.caller().await.sign_in(world.control(), BOB).await;
    let before = content(&world.machine).await;
    let mut deep = json!({"secret": "RT", "environment": "e", "home_account_id": "u"});
    deep["deep"] =
        serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    for (body, words) in [
        (json!({}), "missing field `cache`"),
        (json!({"cache": []}), "cache"),
        (json!({"cache": {}, "keys": 1}), "keys"),
        (json!({"cache": {"subscriptions": []}}), "no token cache of MSAL"),
        (json!({"cache": {"AccessToken": "all"}}), "section \"AccessToken\""),
        (
            json!({"cache": {"RefreshToken": {"k": {"secret": "RT", "environment": "e"}}, "Account": {"k": 1}}}),
            "entry 1",
        ),
    ] {
        let refused = world.machine.connect().await.post(IMPORT, &body).await;
        assert_eq!(refused.refusal(), (400, "bad_request".to_owned()), "{body}");
        let said = refused.json()["error_description"].to_string().replace('\\', "");
        assert!(said.contains(words), "{body}: {said}");
    }
    let too_large = import(&world.machine, json!({"Future": "x".repeat(1024 * 1024)})).await;
    assert_eq!(too_large.refusal(), (413, "payload_too_large".to_owned()));
    let too_deep =
        format!("{{\"cache\":{{\"RefreshToken\":{}{}}}}}", "{\"a\":".repeat(200), "}".repeat(200));
    let headers =
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", too_deep.len());
    let request = valetkey_tests::request("POST", IMPORT, &headers, too_deep.as_bytes());
    let refused = world.machine.connect().await.ask(&request).await;
    assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));
    assert_eq!(content(&world.machine).await, before);

    let told =
        import(&world.machine, json!({"RefreshToken": {"deep": deep, "odd": {"secret": 1}}})).await;
    assert_eq!(told.success()["taken"]["refresh_tokens"], 1);
}

#[tokio::test]
async fn an_export_is_never_an_accident() {
    let world = World::start().await;
    world.caller().await.sign_in(world.control(), ALICE).await;
    for request in [json!({}), json!({"unencrypted": false})] {
        let refused = export(&world.machine, request).await;
        assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));
        assert!(!String::from_utf8_lossy(&refused.body).contains("RefreshToken"));
    }
    let refused = world.machine.get(EXPORT).await;
    assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn where_a_passphrase_protects_the_store_it_protects_the_export_too() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    let world = World::with(machine, Options::default()).await;
    let locked =
        export(&world.machine, json!({"unencrypted": true, "passphrase": PASSPHRASE})).await;
    assert_eq!(locked.refusal(), (423, "store_locked".to_owned()));
    let unlock = json!({ "passphrase": PASSPHRASE });
    world.machine.connect().await.post("/v1/unlock", &unlock).await.success();
    world.caller().await.sign_in(world.control(), ALICE).await;
    for request in
        [json!({"unencrypted": true}), json!({"unencrypted": true, "passphrase": "guess"})]
    {
        let refused = export(&world.machine, request).await;
        assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
        assert!(!String::from_utf8_lossy(&refused.body).contains("RefreshToken"));
    }
    let told = export(&world.machine, json!({"unencrypted": true, "passphrase": PASSPHRASE})).await;
    assert_eq!(refresh_tokens(&told.success()["cache"]).len(), 1);
    assert!(!world.machine.logs().contains(PASSPHRASE));
}
