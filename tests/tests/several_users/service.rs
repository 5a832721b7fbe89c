//! Whom the service is for, who administers it, what one user may use up, and how it is found.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use valetkey_tests::{ALICE, Answer, BOB, Caller, Connection, SeveralUsers, patiently, request};

use crate::support::{
    ANN, BEN, ROOT, SECRET, STRANGER, definition, policy, provider, put, settled,
};

#[tokio::test]
async fn who_administers_the_service_gets_no_ones_tokens_by_it() {
    let entra = provider().await;
    let configuration = |administrators: &str| {
        format!("[service]\nusers = \"all\"\nadministrators = {administrators}\n{}", policy(&entra))
    };
    let Some(machine) = SeveralUsers::start(&configuration("[]")).await else { return };
    let secret = json!({"secret": SECRET});
    let put_as = async |uid, groups: &[u32]| {
        put(&mut machine.connect_with(uid, groups), "/v1/secrets/x", &secret).await
    };
    for (administrators, uid, groups, expected) in [
        ("[]", BEN, &[][..], 403),
        ("[]", ROOT, &[], 204),
        ("[65534]", BEN, &[], 204),
        ("[65534]", ANN, &[], 403),
        ("[\"nobody\"]", BEN, &[], 204),
        ("[\"@nogroup\"]", ANN, &[65_534], 204),
        ("[\"@nogroup\"]", ANN, &[], 403),
        ("[\"no-such-user\", \"@no-such-group\"]", ANN, &[], 403),
    ] {
        machine.configure(&configuration(administrators));
        // The signal is heard in no time, but not in none.
        let heard = async { while put_as(uid, groups).await.status != expected {} };
        patiently(&format!("{expected} for {administrators} {uid} {groups:?}"), heard).await;
    }
    machine.configure(&configuration("[54321]"));
    let mut ann = Caller::open(machine.connect_as(ANN), &definition(&entra)).await;
    ann.sign_in(entra.control(), ALICE).await;
    for administrator in [ROOT, STRANGER] {
        let mut caller = Caller::open(machine.connect_as(administrator), &definition(&entra)).await;
        assert_eq!(caller.usernames().await, [""; 0]);
        assert_eq!(caller.token(json!({})).await.refusal().1, "sign_in_needed");
        let exported = json!({"unencrypted": true});
        let exported = caller.connection.post("/v1/cache/export", &exported).await;
        assert_eq!(exported.refusal(), (403, "access_denied".to_owned()));
    }
}

#[tokio::test]
async fn whom_the_service_is_not_for_is_told_so_and_a_change_holds_for_open_connections() {
    let service = |users: &str| format!("[service]\nusers = {users}\n[policy]\nauthorities = []\n");
    let Some(machine) = SeveralUsers::start(&service(&format!("[{ANN}, \"@nogroup\"]"))).await
    else {
        return;
    };
    let mut ann = machine.connect_as(ANN);
    assert_eq!(ann.get("/v1/status").await.status, 200);
    assert_eq!(machine.connect_with(STRANGER, &[65_534]).get("/v1/status").await.status, 200);
    assert_eq!(machine.connect_as(ROOT).get("/v1/status").await.status, 200);
    for path in ["/v1/status", "/v1/apps", "/v1/nowhere"] {
        let refused = machine.connect_as(BEN + 1).get(path).await;
        assert_eq!(refused.refusal(), (403, "access_denied".to_owned()), "{path}");
        assert!(refused.json()["hint"].as_str().unwrap().contains("[service]"));
    }
    let mut held: Vec<_> = (0..20).map(|_| machine.connect_as(BEN + 1)).collect();
    let mut let_in = 0;
    for connection in &mut held {
        let answer = connection.try_ask(&request("GET", "/v1/status", "", b"")).await;
        let_in += u32::from(answer.is_ok_and(|answer| answer.status == 403));
    }
    assert!(let_in <= 8, "strangers may hold few connections: {let_in}");
    machine.configure(&service("[]"));
    let removed = async {
        while ann.get("/v1/status").await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    valetkey_tests::patiently("the change", removed).await;
    assert_eq!(machine.connect_as(ANN).get("/v1/status").await.refusal().0, 403);
    assert_eq!(machine.connect_as(ROOT).get("/v1/status").await.status, 200);
}

#[tokio::test]
async fn a_service_speaks_to_no_provider_that_is_not_listed() {
    let entra = provider().await;
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    let refused = machine.connect_as(ANN).post("/v1/apps", &definition(&entra)).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    assert!(refused.json().to_string().contains("[policy] authorities"), "{}", refused.json());
    assert_eq!(entra.control().requests(), []);
}

#[tokio::test]
async fn a_service_asks_no_port_of_the_machine_in_its_own_name() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    port.set_nonblocking(true).unwrap();
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    let endpoint = format!("http://{}/token", port.local_addr().unwrap());
    let source = json!({"type": "app_service", "endpoint": endpoint, "header": "s3cret"});
    let identity = json!({"id": "system_assigned", "source": source});
    let app = json!({"kind": "managed_identity", "managed_identity": identity});
    let refused = machine.connect_as(ANN).post("/v1/apps", &app).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()), "{}", refused.json());
    let asked = port.accept().map_err(|error| error.kind());
    assert_eq!(asked.err(), Some(std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn the_section_is_for_the_systems_daemon_alone() {
    let Some(mut machine) = SeveralUsers::new("[service]\nusers = \"all\"\n") else { return };
    machine.launch("exec \"$0\"").await;
    let question = request("GET", "/v1/status", "", b"");
    let asked = machine.connect_as(ROOT).try_ask(&question).await;
    assert!(asked.is_err(), "root is another user");
    let own = machine.connect_as(valetkey_tests::SERVICE).get("/v1/status").await.success();
    assert!(own.get("service").is_none());
}

#[tokio::test]
async fn what_one_user_takes_up_is_missing_to_nobody_else() {
    let Some(mut machine) = SeveralUsers::new("[service]\nusers = \"all\"\n") else { return };
    machine.launch("ulimit -n 224; exec \"$0\" --system").await;
    let question = request("GET", "/v1/status", "", b"");
    let mut held = Vec::new();
    for count in 0..60 {
        let mut connection = machine.connect_as(ANN);
        let answer = connection.ask(&question).await;
        if count < 20 {
            assert_eq!(answer.status, 200, "a quarter of what there is: {count}");
        } else {
            assert_eq!(answer.refusal(), (429, "too_many_requests".to_owned()), "{count}");
            let text = answer.json()["error_description"].to_string();
            assert!(
                text.contains("this user has 20 open"),
                "who is over a limit is told which: {text}"
            );
        }
        held.push(connection);
    }
    for other in [BEN, ROOT, STRANGER] {
        assert_eq!(machine.connect_as(other).get("/v1/status").await.status, 200);
    }
    drop(held);
    let again = async {
        while machine.connect_as(ANN).ask(&question).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    valetkey_tests::patiently("room", again).await;
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_else_waiting() {
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    let head = "Content-Type: application/json\r\nContent-Length: 1048576\r\n";
    let mut slow = Vec::new();
    for _ in 0..32 {
        let mut connection = machine.connect_as(ANN);
        connection.send(&request("POST", "/v1/cache/import", head, b"{")).await.unwrap();
        slow.push(connection);
    }
    let imported = machine.connect_as(BEN).post("/v1/cache/import", &json!({"cache": {}})).await;
    assert_eq!(imported.status, 200, "{}", imported.json());
}

#[tokio::test]
async fn the_command_works_as_any_user_and_reads_files_as_that_user() {
    let Some((machine, _entra, ann)) = settled().await else { return };
    let run = async |uid: u32, words: &[&str]| {
        let output = machine.command_as(uid, words).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, status, said) = run(ANN, &["status"]).await;
    assert!(
        code == Some(0) && status.contains("for several users of this machine"),
        "{status}{said}"
    );
    assert!(
        !status.contains("administer") && run(ROOT, &["status"]).await.1.contains("administer")
    );
    assert!(run(ANN, &["accounts"]).await.1.contains(ALICE));
    assert!(!run(BEN, &["accounts"]).await.1.contains(ALICE));

    // Neither the daemon nor another user could read this file; whose it is reads it and sends it.
    let cache = machine.home_of(ANN).join("cache.json");
    std::io::Write::write_all(&mut std::fs::File::create(&cache).unwrap(), b"{}").unwrap();
    std::os::unix::fs::chown(&cache, Some(ANN), Some(ANN)).unwrap();
    let path = cache.to_str().unwrap();
    assert_eq!(run(ANN, &["cache", "import", path]).await.0, Some(0));
    let (code, _, said) = run(BEN, &["cache", "import", path]).await;
    assert!(code == Some(1) && !said.is_empty(), "{said}");
    let (code, _, said) = run(ANN, &["cache", "export", "--unencrypted", "--yes"]).await;
    assert!(code == Some(4) && said.contains("hands out no cache"), "{said}");
    let (code, _, said) = run(ANN, &["lock", "--everybody"]).await;
    assert!(code == Some(4) && said.contains("administrators"), "{said}");
    drop(ann);
}

#[tokio::test]
async fn folders_that_root_gave_to_the_service_are_as_they_should_be_to_doctor() {
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    let examine = async |uid| {
        let doctor = machine.command_as(uid, &["doctor", "--output", "json"]).output();
        let told: Value = serde_json::from_slice(&doctor.await.unwrap().stdout).unwrap();
        let verdict = |about: &str| {
            let findings = told["findings"].as_array().unwrap();
            let found = findings.iter().find(|finding| finding["about"] == about);
            found.map(|found| found["verdict"].as_str().unwrap().to_owned())
        };
        ["socket", "daemon", "store"].map(verdict)
    };
    let [good, bad] = ["good", "bad"].map(|verdict| Some(verdict.to_owned()));
    let folder = |name: &str| machine.folder().join(name);
    let open = |name: &str, mode| {
        std::fs::set_permissions(folder(name), Permissions::from_mode(mode)).unwrap();
    };
    for uid in [ANN, ROOT] {
        let all_good = [&good; 3].map(Clone::clone);
        assert_eq!(examine(uid).await, all_good, "{uid}");
        // Whoever else may write there could put another socket, or store, in the place of the service's.
        open("run", 0o775);
        assert_eq!(examine(uid).await[0], bad, "{uid}");
        open("run", 0o755);
        open("", 0o777);
        assert_eq!(examine(uid).await, [&bad, &bad, &None].map(Clone::clone), "{uid}");
        open("", 0o755);
    }
}

#[tokio::test]
async fn a_socket_that_the_user_has_no_permission_for_is_said_to_be_anothers() {
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    let endpoint = machine.endpoint();
    std::fs::set_permissions(endpoint.path(), Permissions::from_mode(0o600)).unwrap();
    for command in ["status", "doctor"] {
        let output =
            machine.command_as(ANN, &["--output", "json", command]).output().await.unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        assert_ne!(output.status.code(), Some(0), "{command}: {told}");
        for words in [
            format!("connect to {endpoint}: "),
            "Permission denied".to_owned(),
            "the socket is another user's; set VALETKEY_SOCKET to a path in a folder of your own"
                .to_owned(),
        ] {
            assert!(told.contains(&words), "{command} lacks {words:?}: {told}");
        }
    }
}

#[tokio::test]
async fn the_systems_daemon_is_found_without_being_named() {
    let Some((machine, _entra, _ann)) = settled().await else { return };
    // In mounts of its own, so that this machine's /run stays as it is.
    let script = r#"mount -t tmpfs -o mode=755 tmpfs /run || exit 99
        mkdir /run/valetkey && mount --bind "$1" /run/valetkey
        exec setpriv --reuid="$2" --regid="$2" --clear-groups "$0" accounts"#;
    let cli = machine.program(valetkey_tests::Program::Cli);
    let mut command = tokio::process::Command::new("unshare");
    command.args(["--mount", "/bin/sh", "-c", script]).arg(cli);
    command.arg(machine.folder().join("run")).arg(ANN.to_string()).current_dir("/");
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", machine.home_of(ANN));
    let output = command.output().await.unwrap();
    let (said, wrong) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(99) || wrong.contains("unshare failed") {
        eprintln!("not run, for it takes mounts of its own: finding the system's daemon: {wrong}");
        return;
    }
    assert!(output.status.success() && said.contains(ALICE), "{said}{wrong}");
}

#[tokio::test]
async fn where_the_key_is_and_what_others_have_is_told_to_administrators_alone() {
    let Some((machine, _entra, _ann)) = settled().await else { return };
    let folder = machine.folder().join("state");
    let key_of =
        async |uid: u32| machine.connect_as(uid).get("/v1/status").await.success()["key"].clone();
    let told = key_of(ROOT).await;
    assert!(told["records"].as_u64().unwrap() > 0, "{told}");
    assert!(told["protection"].as_str().unwrap().contains(folder.to_str().unwrap()), "{told}");
    let told = key_of(BEN).await;
    assert!(told.get("records").is_none(), "{told}");
    assert_eq!(told["provider"], "file");
    let protection = told["protection"].as_str().unwrap();
    assert!(protection.contains("last resort") && !protection.contains('/'), "{told}");
    // Nor what is wrong with the files' modes.
    std::fs::set_permissions(folder.join("vault.redb"), Permissions::from_mode(0o644)).unwrap();
    let diagnosis_of =
        async |uid: u32| machine.connect_as(uid).get("/v1/diagnosis").await.success().to_string();
    assert!(diagnosis_of(ROOT).await.contains("chmod 600"));
    let told = diagnosis_of(BEN).await;
    assert!(!told.contains("chmod") && !told.contains("/key-"), "{told}");
    assert!(!diagnosis_of(ROOT).await.contains("broker.sock"), "all may use the socket");
}

#[tokio::test]
async fn the_configuration_that_administrators_are_shown_is_one() {
    let page = include_str!("../../../packaging/systemd/README.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let configuration = blocks.into_iter().find(|block| block.starts_with("[service]")).unwrap();
    let Some(machine) = SeveralUsers::start(configuration).await else { return };
    for uid in [ANN, BEN, ROOT] {
        let status = machine.connect_as(uid).get("/v1/status").await.success();
        assert_eq!(status["service"]["administrator"], uid == ROOT);
    }
}

/// A cache of refresh tokens of so many bytes each.
fn large_cache(number: usize, bytes: usize) -> serde_json::Value {
    let tokens = (0..20).map(|part| {
        let id = format!("{number}-{part}.home");
        let token = json!({
            "credential_type": "RefreshToken", "environment": "login.example.com", "client_id": "editor",
            "home_account_id": id, "secret": format!("{id}{}", "x".repeat(bytes)), "target": "",
        });
        (format!("{id}-login.example.com-refreshtoken-editor--"), token)
    });
    json!({"RefreshToken": tokens.collect::<serde_json::Map<_, _>>()})
}

/// Imports until it is refused; how often it was not, and how it was.
async fn import_until_refused(connection: &mut Connection, bytes: usize) -> (usize, Answer) {
    for number in 0..80 {
        let request = json!({"cache": large_cache(bytes * 100 + number, bytes)});
        let answer = connection.post("/v1/cache/import", &request).await;
        if answer.status != 200 {
            return (number, answer);
        }
    }
    panic!("80 imports with tokens of {bytes} bytes")
}

#[tokio::test]
async fn who_takes_up_too_much_memory_is_told_so_and_others_notice_nothing() {
    let Some((machine, entra, mut ann)) = settled().await else { return };
    let mut ben = Caller::open(machine.connect_as(BEN), &definition(&entra)).await;
    ben.sign_in(entra.control(), BOB).await;
    let mut connection = machine.connect_as(ANN);
    let (imports, refused) = import_until_refused(&mut connection, 50_000).await;
    assert!((55..=66).contains(&imports), "64 MiB is the limit: {imports}");
    assert_eq!(refused.refusal(), (429, "too_many_requests".to_owned()));
    let said = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(said.contains("64 MiB") && said.contains("sign out"), "{said}");
    import_until_refused(&mut connection, 1000).await;
    let wish =
        json!({"kind": "device_code", "scopes": ["https://graph.contoso.com/Files.ReadWrite"]});
    let flow = ann.usual.start_flow(wish).await;
    assert_eq!(flow.refusal().0, 429);
    assert_eq!(ann.usual.token(json!({})).await.success()["access_token"], ann.token.as_str());
    ann.usual.token(json!({"force_refresh": true})).await.success();

    assert_eq!(
        ben.token(json!({"force_refresh": true})).await.success()["token_source"],
        "identity_provider"
    );
    let imported = machine
        .connect_as(BEN)
        .post("/v1/cache/import", &json!({"cache": large_cache(0, 50_000)}))
        .await;
    assert_eq!(imported.status, 200, "{}", imported.json());
    let mut root = Caller::open(machine.connect_as(ROOT), &definition(&entra)).await;
    root.sign_in(entra.control(), ALICE).await;
}

#[tokio::test]
async fn that_the_service_cannot_see_a_users_programs_is_not_told_as_if_they_hid() {
    let Some(machine) = SeveralUsers::start("[service]\nusers = \"all\"\n").await else { return };
    machine.connect_as(ANN).post("/v1/lock", &json!({})).await.success();
    let audit = machine.connect_as(ANN).get("/v1/audit").await.success();
    let program = &audit["records"][0]["program"];
    let why = program["unidentified"].as_str().unwrap();
    assert!(why.contains("cannot see what other users"), "{audit}");
}
