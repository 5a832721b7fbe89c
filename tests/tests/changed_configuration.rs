//! The configuration changes while the daemon runs.

use serde_json::json;
use valetkey_tests::{ALICE, CLIENT_ID, Machine, World};

const CONFIG: &str = "config/valetkey/config.toml";

fn declare(world: &World, name: &str) {
    let authority = world.entra.authority("common");
    let text = format!(
        "[apps.{name}]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{authority}\"\nvalidate_authority = false\n"
    );
    world.machine.write(CONFIG, text);
}

/// What is said of an application that is not declared.
async fn said_of(world: &World, name: &str) -> String {
    let mut connection = world.machine.connect().await;
    let answer = connection.post("/v1/apps", &json!({"name": name})).await;
    assert_eq!(answer.refusal(), (404, "unknown_app".to_owned()));
    answer.json()["error_description"].to_string()
}

async fn opens(world: &World, name: &str) -> bool {
    world.machine.connect().await.post("/v1/apps", &json!({"name": name})).await.status == 200
}

#[tokio::test]
async fn an_application_is_there_as_soon_as_it_is_declared() {
    let world = World::start().await;
    let said = said_of(&world, "mail").await;
    assert!(said.contains("config.toml"), "it says where to declare it: {said}");
    let path = world.machine.folder().join(CONFIG);
    let status = world.machine.status().await;
    assert_eq!(status["configuration"], json!({"expected_at": path.to_str()}));
    declare(&world, "mail");
    assert!(opens(&world, "mail").await);
    declare(&world, "post");
    assert!(opens(&world, "post").await);
    let said = said_of(&world, "mail").await;
    assert!(said.contains("it has: post"), "{said}");
    let status = world.machine.status().await;
    assert_eq!(status["configuration"], json!({"path": path.to_str()}));
}

#[tokio::test]
async fn an_application_that_was_edited_is_listed_once_and_one_that_was_removed_no_more() {
    let world = World::start().await;
    declare(&world, "mail");
    assert!(opens(&world, "mail").await);
    let listed = || async {
        let apps = world.machine.get("/v1/apps").await.success();
        let apps = apps["apps"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = apps.iter().map(|app| app["name"].clone()).collect();
        let counted = world.machine.status().await["counts"]["apps"].clone();
        assert_eq!(counted, json!(names.len()));
        names
    };
    assert_eq!(listed().await, ["mail"]);
    let other = format!(
        "[apps.mail]\nclient_id = \"other\"\nauthority = {:?}\nvalidate_authority = false\n",
        world.entra.authority("common")
    );
    world.machine.write(CONFIG, other);
    assert_eq!(listed().await, ["mail"]);
    world.machine.write(CONFIG, "");
    assert!(listed().await.is_empty());
}

#[tokio::test]
async fn a_broken_change_changes_nothing_and_is_named_with_its_line() {
    let world = World::start().await;
    declare(&world, "mail");
    assert!(opens(&world, "mail").await);
    world.machine.write(CONFIG, "[apps.post]\nclient_id = 7\n");
    assert!(opens(&world, "mail").await);
    let said = said_of(&world, "post").await;
    let words = ["it has: mail", "not in force", "config.toml:2:"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    let status = world.machine.status().await;
    let problem = status["configuration"]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("config.toml:2:"), "{status}");
    declare(&world, "post");
    assert!(opens(&world, "post").await);
    assert_eq!(world.machine.status().await["configuration"]["problem"], json!(null));
}

#[tokio::test]
async fn what_takes_effect_at_the_next_start_is_named_until_then() {
    let mut machine = Machine::new();
    machine.write(CONFIG, "[network]\ntimeout = 20\n");
    machine.launch().await;
    machine.write(CONFIG, "[network]\ntimeout = 21\n");
    let status = machine.status().await;
    assert_eq!(status["configuration"]["at_next_start"], json!(["network.timeout"]));
    machine.restart().await;
    assert_eq!(machine.status().await["configuration"]["at_next_start"], json!(null));
}

#[tokio::test]
async fn a_key_that_the_store_does_not_have_is_a_problem_before_the_next_start_refuses_it() {
    let mut machine = Machine::new();
    machine.set("VALETKEY_KEY_PROVIDER", "");
    machine.write(CONFIG, "[vault]\nkey = \"file\"\n");
    machine.launch().await;
    machine.write(CONFIG, "[vault]\nkey = \"auto\"\n");
    let status = machine.status().await;
    assert_eq!(status["configuration"]["at_next_start"], json!(null));
    assert_eq!(status["store"]["problems"], json!([]));

    machine.write(CONFIG, "[vault]\nkey = \"passphrase\"\n");
    let status = machine.status().await;
    assert_eq!(status["configuration"]["at_next_start"], json!(null));
    let problem = status["store"]["problems"][0].as_str().unwrap_or_default().to_owned();
    machine.kill().await;
    let refusal = machine.launch_in_vain().await;
    let folder = machine.state_dir().display().to_string();
    for word in [&folder, "`file`", "`passphrase`", "`auto`", "valetkey key rotate"] {
        assert!(problem.contains(word) && refusal.contains(word), "{word}: {problem}\n{refusal}");
    }
}

#[tokio::test]
async fn providers_that_are_no_longer_admitted_are_spoken_to_no_more() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    world.machine.write(CONFIG, "[policy]\nauthorities = []\n");
    world.machine.status().await;
    let answer = caller.token(json!({})).await;
    assert_eq!(answer.refusal(), (403, "access_denied".to_owned()));
    assert_eq!(world.control().requests(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_has_it_read_and_ends_nobody() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    world.machine.write(CONFIG, "[policy]\nauthorities = []\n");
    world.machine.ask_to_reload();
    // The signal and the request race; a request that came first changes nothing for the next.
    let denied = async {
        while caller.token(json!({})).await.refusal().0 != 403 {
            tokio::task::yield_now().await;
        }
    };
    valetkey_tests::patiently("the reload", denied).await;
    assert!(world.machine.logs().contains("the configuration was read anew"));
}

#[tokio::test]
async fn two_names_of_one_registration_each_have_their_own_scopes() {
    let world = World::start().await;
    drop(world.signed_in(ALICE).await);
    let authority = world.entra.authority("common");
    let declare = |name: &str, scope: &str| {
        format!(
            "[apps.{name}]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{authority}\"\nvalidate_authority = false\n\
             scopes = [\"{scope}\"]\n"
        )
    };
    world.machine.write(CONFIG, declare("graph", "User.Read") + &declare("mail", "Mail.Read"));
    let mut connection = world.machine.connect().await;
    for (name, scope) in [("graph", "User.Read"), ("mail", "Mail.Read"), ("graph", "User.Read")] {
        let opened = connection.post("/v1/apps", &json!({"name": name})).await.success();
        assert_eq!(opened["name"], name);
        let path = format!("/v1/apps/{}/token", opened["app"].as_str().unwrap_or_default());
        let token = connection.post(&path, &json!({})).await.success();
        let scopes = token["scope"].as_str().unwrap_or_default();
        assert!(scopes.split(' ').any(|one| one == scope), "{name}: {scopes}");
    }
}

#[cfg(unix)]
#[expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]
fn put_pipe(machine: &Machine, path: &str) {
    let path = machine.folder().join(path);
    let fresh = path.with_extension("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fresh, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_the_place_of_the_configuration_is_named_and_waited_for_by_nobody() {
    let mut world = World::start().await;
    declare(&world, "mail");
    assert!(opens(&world, "mail").await);
    put_pipe(&world.machine, CONFIG);
    let problem = world.machine.status().await["configuration"]["problem"].clone();
    assert!(problem.as_str().is_some_and(|it| it.contains("not a regular file")), "{problem}");
    assert!(opens(&world, "mail").await);
    // Writing to a pipe would wait for its reader.
    std::fs::remove_file(world.machine.folder().join(CONFIG)).unwrap();
    declare(&world, "post");
    assert!(opens(&world, "post").await);
    put_pipe(&world.machine, CONFIG);
    world.machine.status().await;
    assert!(world.machine.stop().await.success());
}

#[tokio::test]
async fn a_configuration_that_is_no_honest_size_is_not_read() {
    let mut machine = Machine::new();
    machine.write(CONFIG, "");
    machine.launch().await;
    machine.write(CONFIG, "#".repeat(4 * 1024 * 1024 + 1));
    let problem = machine.status().await["configuration"]["problem"].clone();
    assert!(problem.as_str().is_some_and(|it| it.contains("longer than 4194304")), "{problem}");
}
