//! The configuration and the environment: what is wrong is named with its place, and what is set holds.

use serde_json::json;
use valetkey_testkit::entra::{Endpoint, EntraEmulator, Options};
use valetkey_tests::{Caller, Machine, World};

const CONFIG: &str = "config/valetkey/config.toml";

#[tokio::test]
async fn a_wrong_configuration_is_named_by_file_and_line() {
    for (name, content, words) in [
        ("no TOML", "[vault\nkey = 1", vec!["config.toml", "1"]),
        ("an unknown section", "[valut]\n", vec!["valut"]),
        ("an unknown key", "[vault]\nkeys = \"file\"\n", vec!["keys", "2"]),
        ("a wrong type", "[network]\ntimeout = \"long\"\n", vec![":2:", "timeout", "whole number"]),
        ("a number that cannot be", "[network]\ntimeout = 0\n", vec!["timeout", "600"]),
        ("an unknown provider", "[vault]\nkey = \"magic\"\n", vec![":2:", "keyring"]),
        ("an unknown occasion", "[vault]\nlock_on = [\"door\"]\n", vec![":2:", "screen"]),
        ("a span in words", "[vault]\nlock_after_idle = \"15m\"\n", vec![":2:", "whole number"]),
        ("an app without id", "[apps.mail]\nscopes = []\n", vec!["client_id"]),
        (
            "an endpoint in the clear",
            "[policy]\ninstance_discovery_endpoints = [\"http://clouds.example/x\"]\n",
            vec![":2:", "instance_discovery_endpoints", "https://"],
        ),
        (
            "two authorities",
            "[apps.mail]\nclient_id = \"x\"\nauthority = \"https://a/t\"\noidc_authority = \"https://b\"\n",
            vec!["mail", "keep one"],
        ),
    ] {
        let machine = Machine::new();
        machine.write(CONFIG, content);
        let said = machine.launch_in_vain().await;
        for word in words {
            assert!(said.contains(word), "{name}: {said:?} lacks {word:?}");
        }
        assert!(!machine.state_dir().exists(), "{name}: the store was touched");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_rule_for_a_user_whom_the_machine_does_not_know_is_named_by_line_and_mended_by_a_number()
{
    let mut machine = Machine::new();
    machine.write(CONFIG, "[[rules]]\nusers = [\"no-such-user\"]\ndeny = true\n");
    let said = machine.launch_in_vain().await;
    for word in [":2: a rule names the user \"no-such-user\"", "mend the name"] {
        assert!(said.contains(word), "{said:?} lacks {word:?}");
    }
    machine.write(CONFIG, "[[rules]]\nusers = [4242]\ndeny = true\n");
    machine.launch().await;
    machine.write(CONFIG, "[[rules]]\nusers = [\"no-such-user\"]\n");
    let status = machine.status().await;
    let problem = status["configuration"]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("no-such-user"), "{status}");
}

#[tokio::test]
async fn a_wrong_environment_is_named_by_its_variable() {
    for (variable, value) in [
        ("VALETKEY_LOG", "valetkey=loud"),
        ("VALETKEY_KEY_PROVIDER", "magic"),
        ("VALETKEY_CONFIG", "/nonexistent/config.toml"),
    ] {
        let machine = Machine::new().with(variable, value);
        let said = machine.launch_in_vain().await;
        assert!(said.contains(variable) || said.contains(value), "{variable}: {said}");
    }
}

#[tokio::test]
async fn only_admitted_providers_are_spoken_to() {
    let allowed = EntraEmulator::start(Options::default()).await.unwrap();
    let host = allowed.base_url().trim_start_matches("http://").to_owned();
    let machine = Machine::new();
    machine.write(CONFIG, format!("[policy]\nauthorities = [\"{host}\"]\n"));
    let other = World::with(machine, Options::default()).await;
    let definition = |entra: &EntraEmulator| json!({"client_id": "x", "authority": entra.authority("common"), "validate_authority": false});
    let mut connection = other.machine.connect().await;
    let refused = connection.post("/v1/apps", &definition(&other.entra)).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    assert_eq!(other.control().requests(), []);
    let mut caller = Caller::open(connection, &definition(&allowed)).await;
    assert_eq!(caller.token(json!({})).await.refusal(), (409, "sign_in_needed".to_owned()));
}

#[tokio::test]
async fn an_instance_discovery_endpoint_is_asked_when_the_configuration_lists_it() {
    let listed = EntraEmulator::start(Options::default()).await.unwrap();
    let endpoint =
        |entra: &EntraEmulator| format!("{}/common/discovery/instance", entra.base_url());
    let machine = Machine::new();
    let content = format!("[policy]\ninstance_discovery_endpoints = [{:?}]\n", endpoint(&listed));
    machine.write(CONFIG, content);
    let other = World::with(machine, Options::default()).await;
    let definition = |url: &str| json!({"client_id": "x", "authority": listed.authority("common"), "instance_discovery": url});
    let mut connection = other.machine.connect().await;
    let refused = connection.post("/v1/apps", &definition(&endpoint(&other.entra))).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    let body = refused.json();
    let said = body["error_description"].as_str().unwrap();
    assert!(said.contains("[policy] instance_discovery_endpoints"), "{said}");
    assert_eq!(other.control().requests(), []);
    let refused = connection.post("/v1/apps", &definition("no URL")).await;
    assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));

    let mut caller = Caller::open(connection, &definition(&endpoint(&listed))).await;
    let started = caller.start_flow(json!({"kind": "device_code"})).await;
    assert_eq!(started.status, 201, "{:?}", started.body);
    let asked = listed.control().requests_to(Endpoint::InstanceDiscovery);
    assert_eq!(asked.len(), 1);
}
