//! Managed identities end to end: each source in its dialect, what is spoken to at all, and who may have the tokens.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::{
    Effect, Endpoint, Fault, Machine as AzureMachine, Options, UserAssignedIdentity,
};
use valetkey_tests::{Answer, Connection, Machine, World};

const RESOURCE: &str = "https://vault.contoso.com";
const CLIENT_ID: &str = "0a51d000-0000-4000-8000-000000000001";

async fn start() -> World {
    let identity = UserAssignedIdentity {
        client_id: CLIENT_ID.to_owned(),
        object_id: "0a51d000-0000-4000-8000-000000000002".to_owned(),
        resource_id: "/subscriptions/s/identities/mi".to_owned(),
    };
    let machine = AzureMachine { user_assigned: vec![identity], ..AzureMachine::default() };
    let options = Options { tls_port: Some(0), machine, ..Options::default() };
    World::with(Machine::new(), options).await
}

/// What a program on this machine says of a source, by the variables that the platform gave it.
fn source(world: &World, name: &str) -> Value {
    let environments = world.control().machine_environments();
    let variables = &environments[name];
    let pairs = match name {
        "imds" => vec![("endpoint", "AZURE_POD_IDENTITY_AUTHORITY_HOST")],
        "machine_learning" => vec![("endpoint", "MSI_ENDPOINT"), ("secret", "MSI_SECRET")],
        "azure_arc" => vec![("endpoint", "IDENTITY_ENDPOINT")],
        "app_service" => vec![("endpoint", "IDENTITY_ENDPOINT"), ("header", "IDENTITY_HEADER")],
        _ => vec![
            ("endpoint", "IDENTITY_ENDPOINT"),
            ("header", "IDENTITY_HEADER"),
            ("thumbprint", "IDENTITY_SERVER_THUMBPRINT"),
        ],
    };
    let mut source = json!({"type": name});
    for (member, variable) in pairs {
        source[member] = variables[variable].as_str().into();
    }
    source
}

fn definition(id: &Value, source: &Value) -> Value {
    json!({"kind": "managed_identity", "managed_identity": {"id": id, "source": source}})
}

async fn acquire(connection: &mut Connection, definition: &Value) -> Answer {
    let opened = connection.post("/v1/apps", definition).await;
    if opened.status != 200 {
        return opened;
    }
    let opened = opened.json();
    assert_eq!(opened["kind"], "managed_identity");
    let app = opened["app"].as_str().unwrap().to_owned();
    let request = json!({"grant": "client_credentials", "resource": RESOURCE});
    connection.post(&format!("/v1/apps/{app}/token"), &request).await
}

fn asked(world: &World) -> usize {
    world.control().requests_to(Endpoint::ManagedIdentity).len()
}

#[tokio::test]
async fn each_source_gives_a_token_that_the_next_caller_finds_in_the_cache() {
    let world = start().await;
    for name in ["imds", "app_service", "machine_learning", "service_fabric"] {
        world.control().clear_requests();
        let definition = definition(&json!("system_assigned"), &source(&world, name));
        let mut connection = world.machine.connect().await;
        let issued = acquire(&mut connection, &definition).await.success();
        let token = issued["access_token"].as_str().unwrap();
        let claims = world.control().verify_access_token(token).expect("the emulator's");
        assert_eq!(claims["aud"], RESOURCE, "{name}");
        assert_eq!(issued["token_source"], "identity_provider", "{name}");
        assert_eq!(issued["resource"], RESOURCE, "{name}");
        let mut other = world.machine.connect().await;
        let cached = acquire(&mut other, &definition).await.success();
        assert_eq!(
            (&cached["access_token"], &cached["token_source"]),
            (&issued["access_token"], &json!("cache")),
            "{name}"
        );
        assert_eq!(asked(&world), 1, "{name}");
    }
    let apps = world.machine.get("/v1/apps").await.success();
    assert_eq!(apps["apps"].as_array().unwrap().len(), 4, "one of each: {apps}");
}

#[tokio::test]
async fn an_identity_of_ones_own_choice_is_another_token() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    let imds = source(&world, "imds");
    let own = acquire(&mut connection, &definition(&json!("system_assigned"), &imds)).await;
    let assigned = json!({"client_id": CLIENT_ID});
    let assigned = acquire(&mut connection, &definition(&assigned, &imds)).await.success();
    assert_ne!(own.success()["access_token"], assigned["access_token"]);
    let token = assigned["access_token"].as_str().unwrap();
    assert_eq!(world.control().verify_access_token(token).unwrap()["azp"], CLIENT_ID);
    let unknown = definition(&json!({"client_id": "nobody"}), &imds);
    assert_eq!(
        acquire(&mut connection, &unknown).await.refusal(),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn cloud_shell_gives_its_users_token_and_makes_the_user_an_account() {
    let world = World::with(Machine::new(), Options::default()).await;
    let mut connection = world.machine.connect().await;
    let endpoint = world.control().machine_environments()["cloud_shell"]["MSI_ENDPOINT"].clone();
    let at = |endpoint: &str| {
        let mut definition = world.definition();
        definition["cloud_shell_endpoint"] = json!(endpoint);
        definition
    };
    let opened = connection.post("/v1/apps", &at(&endpoint)).await.success();
    let app = format!("/v1/apps/{}", opened["app"].as_str().unwrap());
    let by_shell = json!({"grant": "cloud_shell", "scopes": [format!("{RESOURCE}/.default")]});
    let token = format!("{app}/token");
    let issued = connection.post(&token, &by_shell).await.success();
    assert_eq!(
        (&issued["token_source"], &issued["token_type"]),
        (&json!("broker"), &json!("Bearer"))
    );
    let access_token = issued["access_token"].as_str().unwrap();
    assert_eq!(world.control().verify_access_token(access_token).unwrap()["aud"], RESOURCE);
    let accounts = connection.get(&format!("{app}/accounts")).await.success();
    assert_eq!(accounts["accounts"][0]["authority_type"], "CLOUDSHELL", "{accounts}");
    let silent = |force_refresh: bool| {
        let mut request = by_shell.clone();
        (request["grant"], request["force_refresh"]) = (json!("silent"), json!(force_refresh));
        request
    };
    let cached = connection.post(&token, &silent(false)).await.success();
    assert_eq!((&cached["token_source"], asked(&world)), (&json!("cache"), 1));
    let again = connection.post(&token, &silent(true)).await.success();
    assert_eq!((&again["token_source"], asked(&world)), (&json!("broker"), 2));
    let elsewhere = connection.post("/v1/apps", &at("http://shell.contoso.com/token")).await;
    assert_eq!(elsewhere.refusal(), (403, "access_denied".to_owned()));
    let shared = connection.post("/v1/apps", &world.definition()).await.success();
    let shared = format!("/v1/apps/{}", shared["app"].as_str().unwrap());
    let unfit = connection.post(&format!("{shared}/token"), &by_shell).await;
    assert_eq!(unfit.refusal(), (400, "bad_request".to_owned()));
    let accounts = connection.get(&format!("{shared}/accounts")).await.success();
    assert_eq!(accounts["accounts"], json!([]), "what a shell says is kept apart");
}

#[tokio::test]
async fn a_busy_metadata_service_is_asked_again() {
    let world = start().await;
    for effect in [Effect::status(404), Effect::status(500)] {
        world.control().add_fault(Fault::new(Endpoint::ManagedIdentity, effect));
    }
    let mut connection = world.machine.connect().await;
    let definition = definition(&json!("system_assigned"), &source(&world, "imds"));
    assert_eq!(acquire(&mut connection, &definition).await.success()["token_type"], "Bearer");
    assert_eq!(asked(&world), 3);
}

#[tokio::test]
async fn who_does_not_know_the_platforms_secret_gets_nothing_from_the_cache() {
    let world = start().await;
    let mut source = source(&world, "app_service");
    let mut connection = world.machine.connect().await;
    acquire(&mut connection, &definition(&json!("system_assigned"), &source)).await.success();
    source["header"] = "guessed".into();
    let refused = acquire(&mut connection, &definition(&json!("system_assigned"), &source)).await;
    assert_ne!(refused.status, 200);
    assert_eq!(asked(&world), 2, "the platform said no, not the cache");
}

#[tokio::test]
async fn a_server_with_another_certificate_is_told_no_secret() {
    let world = start().await;
    let mut source = source(&world, "service_fabric");
    source["thumbprint"] = "0".repeat(40).into();
    let mut connection = world.machine.connect().await;
    let refused = acquire(&mut connection, &definition(&json!("system_assigned"), &source)).await;
    assert_eq!(refused.refusal(), (502, "provider_unreachable".to_owned()));
    let said = refused.json()["error_description"].to_string();
    assert!(said.contains("IDENTITY_SERVER_THUMBPRINT"), "{said}");
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn an_endpoint_elsewhere_is_not_spoken_to() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    for (endpoint, expected) in [
        ("http://metadata.contoso.com/token", (403, "access_denied")),
        ("http://10.0.0.1/token", (403, "access_denied")),
        ("file:///etc/passwd", (400, "bad_request")),
    ] {
        let source = json!({"type": "app_service", "endpoint": endpoint, "header": "s3cret"});
        let refused =
            connection.post("/v1/apps", &definition(&json!("system_assigned"), &source)).await;
        assert_eq!(refused.refusal(), (expected.0, expected.1.to_owned()), "{endpoint}");
    }
}

#[tokio::test]
async fn a_listed_endpoint_is_spoken_to() {
    let machine = Machine::new();
    let config = "[policy]\nmanaged_identity_hosts = [\"Metadata.contoso.invalid\"]\n";
    machine.write("config/valetkey/config.toml", config);
    let world = World::with(machine, Options::default()).await;
    let source = json!({"type": "imds", "endpoint": "http://metadata.contoso.invalid"});
    let mut connection = world.machine.connect().await;
    let answer = acquire(&mut connection, &definition(&json!("system_assigned"), &source)).await;
    assert_eq!(answer.refusal(), (502, "provider_unreachable".to_owned()));
}

#[tokio::test]
async fn azure_arc_without_its_key_file_gives_nothing() {
    let world = start().await;
    let folder = tempfile::tempdir().unwrap();
    let arc_key_folder = Some(folder.path().to_owned());
    world.control().set_machine(AzureMachine { arc_key_folder, ..AzureMachine::default() });
    let mut connection = world.machine.connect().await;
    let definition = definition(&json!("system_assigned"), &source(&world, "azure_arc"));
    let refused = acquire(&mut connection, &definition).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    let said = refused.json()["error_description"].to_string();
    assert!(said.contains("/var/opt/azcmagent/tokens/"), "{said}");
    assert_eq!(asked(&world), 1, "nothing is sent without the key");
}

#[tokio::test]
async fn members_of_other_kinds_are_refused() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    let usual = || definition(&json!("system_assigned"), &source(&world, "imds"));
    for (member, value) in [("authority", json!("https://x/t")), ("app_name", json!("x"))] {
        let mut definition = usual();
        definition[member] = value;
        let refused = connection.post("/v1/apps", &definition).await;
        assert_eq!(refused.refusal(), (400, "bad_request".to_owned()), "{member}");
    }
    let app =
        connection.post("/v1/apps", &usual()).await.success()["app"].as_str().unwrap().to_owned();
    for request in [
        json!({"grant": "client_credentials"}),
        json!({"grant": "silent", "resource": RESOURCE}),
        json!({"grant": "client_credentials", "resource": RESOURCE, "scopes": ["x"]}),
        json!({"grant": "client_credentials", "resource": "two words"}),
    ] {
        let refused = connection.post(&format!("/v1/apps/{app}/token"), &request).await;
        assert_eq!(refused.refusal(), (400, "bad_request".to_owned()), "{request}");
    }
    assert_eq!(asked(&world), 0);
    assert_eq!(connection.delete(&format!("/v1/apps/{app}")).await.status, 204);
    let closed = json!({"grant": "client_credentials", "resource": RESOURCE});
    let closed = connection.post(&format!("/v1/apps/{app}/token"), &closed).await;
    assert_eq!(closed.refusal(), (404, "unknown_app".to_owned()));
}
