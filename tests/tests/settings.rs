//! The configuration and the environment: what is wrong is named with its place, and what is set holds.

use serde_json::json;
use valetkey_testkit::entra::{EntraEmulator, Options};
use valetkey_tests::{Caller, Machine, World};

const CONFIG: &str = "config/valetkey/config.toml";

#[tokio::test]
async fn a_wrong_configuration_is_named_by_file_and_line() {
    for (name, content, words) in [
        ("no TOML", "[vault\nkey = 1", vec!["config.toml", "1"]),
        ("an unknown section", "[valut]\n", vec!["valut"]),
        ("an unknown key", "[vault]\nkeys = \"file\"\n", vec!["keys", "2"]),
        ("a wrong type", "[network]\ntimeout = \"long\"\n", vec![":2:", "long"]),
        ("a number that cannot be", "[network]\ntimeout = 0\n", vec!["timeout", "600"]),
        ("an unknown provider", "[vault]\nkey = \"magic\"\n", vec!["magic", "keyring"]),
        ("an app without id", "[apps.mail]\nscopes = []\n", vec!["client_id"]),
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
