//! Which configurations are understood, and what is said of the others.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use valetkey_proto::v1::InstanceDiscovery;

use super::*;

fn load(chosen: Option<&Path>, lookup: crate::paths::Lookup<'_>) -> Result<Config, ConfigError> {
    Source::new(chosen, lookup).load().map(|loaded| loaded.config)
}

fn check_error(content: &str, expected: &str) {
    let message = parse(Path::new("/c.toml"), content).unwrap_err().to_string();
    assert!(message.starts_with(expected), "{content:?}: {message}");
}

#[test]
fn without_a_file_the_defaults_hold() {
    let config = load(None, &|_| None);
    // A machine that runs the tests may have a configuration of its own; only its absence is a default.
    if !Path::new("/etc/valetkey/config.toml").exists() {
        assert_eq!(config.unwrap(), Config::default());
    }
    assert_eq!(NetworkConfig::default().connect_timeout(), Duration::from_secs(10));
    assert_eq!(NetworkConfig::default().timeout(), Duration::from_secs(30));
}

#[test]
fn a_credential_of_the_service_does_not_bind_a_users_own_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let key = |source: &Source| source.load().unwrap().config.vault.key;
    let write = |key: &str| {
        let mut written = std::fs::File::create(&file).unwrap();
        write!(written, "[vault]\nkey = \"{key}\"\n").unwrap();
    };
    for (written, is_systems, has_credentials, expected) in [
        ("credential", false, false, KeyName::Auto),
        ("credential", false, true, KeyName::Credential),
        ("credential", true, false, KeyName::Credential),
        ("passphrase", false, false, KeyName::Passphrase),
    ] {
        write(written);
        let source = Source::shared(file.clone(), has_credentials).for_system(is_systems);
        assert_eq!(key(&source), expected, "{written} {is_systems} {has_credentials}");
    }
    write("credential");
    assert_eq!(key(&Source::of(vec![file.clone()])), KeyName::Credential, "the user's own file");
}

#[test]
fn a_whole_configuration_is_read() {
    let config = parse(
        Path::new("/c.toml"),
        r#"
        [vault]
        key = "passphrase"
        passphrase_file = "/run/keys/valetkey"

        [apps.mail]
        client_id = "abc"
        oidc_authority = "https://login.example.com"
        scopes = ["mail.read"]
        exclude_scopes = ["offline_access"]

        [apps.files]
        client_id = "def"
        authority = "https://login.microsoftonline.com/organizations"
        client_capabilities = ["CP1"]
        instance_discovery = false

        [network]
        timeout = 20

        [policy]
        authorities = ["login.example.com"]
        instance_discovery_endpoints = ["https://clouds.example/instance"]

        [apps.far]
        client_id = "ghi"
        instance_discovery = "https://far.example/instance"
        "#,
    )
    .unwrap();
    assert_eq!(config.vault.key, KeyName::Passphrase);
    assert_eq!(config.apps["mail"].scopes, ["mail.read"]);
    let files = config.apps["files"].definition();
    assert_eq!(files.client_id.as_deref(), Some("def"));
    assert_eq!(files.instance_discovery, Some(InstanceDiscovery::Enabled(false)));
    assert_eq!(config.network, NetworkConfig { connect_timeout: 10, timeout: 20 });
    assert_eq!(config.policy.authorities.as_deref(), Some(&["login.example.com".to_owned()][..]));
    let endpoints: Vec<_> = config.instance_discovery_endpoints().map(|(_, url)| url).collect();
    assert_eq!(endpoints, ["https://clouds.example/instance", "https://far.example/instance"]);
}

#[test]
fn a_mistake_is_named_with_its_line_and_the_way_out() {
    for (content, expected) in [
        ("[vualt]\nkey = \"auto\"", "/c.toml:1: unknown key `vualt`"),
        (
            "[[rules]]\n[[rules]]\nlock_after_idle = 9",
            "/c.toml:3: unknown key `lock_after_idle` in [[rules]] number 2, expected",
        ),
        ("\n[vault]\nkye = \"auto\"", "/c.toml:3: unknown key `kye`"),
        ("[vault]\nkey = \"keyrng\"", "/c.toml:2: `key`: must be one of `auto`, "),
        ("[apps.a]\nscopes = []", "/c.toml:1: `client_id` is missing"),
        ("[network]\ntimeout = \"10\"", "/c.toml:2: `timeout`: must be a whole number"),
        ("[apps.a]\nclient_id = \"b\"\ndpop = 1", "/c.toml:3: `dpop`: must be `true` or `false`"),
        ("[apps.a]\nclient_id = 7", "/c.toml:2: `client_id`: must be text in quotes"),
        ("[vault]\nlock_on = \"screen\"", "/c.toml:2: `lock_on`: must be a list"),
        ("[network]\ntimeout = 1\ntimeout = 2", "/c.toml:3: `timeout` is there twice"),
        ("[network]\n\n[network] # s3cret", "/c.toml:3: `[network]` is there twice"),
        ("[[rules]]\ndeny = true\n[[rules]]\nname = \"a\"", "/c.toml:3: a rule says nothing"),
        ("[network]\n\nconnect_timeout = 0", "/c.toml:3: `connect_timeout` is 0; it must be"),
        (
            "[apps.a]\nclient_id = \"x\"\nauthority = \"https://a/b\"\noidc_authority = \"https://c\"",
            "/c.toml:1: application `a` has both",
        ),
        (
            "\n[apps.a]\nclient_id = \"x\"\nauthority = \"httq://a/b\"",
            "/c.toml:2: application `a` cannot be: authority \"httq://a/b\" must begin with https://",
        ),
        (
            "[apps.a]\nclient_id = \"x\"\nauthority = \"https://login.microsoftonline.com\"",
            "/c.toml:1: application `a` cannot be: authority \"https://login.microsoftonline.com\" lacks a tenant",
        ),
        (
            "[apps.a]\nclient_id = \"x\"\noidc_authority = \"id.example\"",
            "/c.toml:1: application `a` cannot be: authority \"id.example\" is no URL",
        ),
        (
            "[apps.a]\nclient_id = \"x\"\nexclude_scopes = [\"openid\"]",
            "/c.toml:1: application `a` cannot be: exclude_scopes",
        ),
        ("[apps.\"a\\nb\"]\nclient_id = \"\"", "/c.toml:1: application `a\\nb` has an empty"),
        ("[vault]\nkey = ", "/c.toml:2: "),
    ] {
        check_error(content, expected);
    }
}

#[test]
fn what_stands_in_the_place_of_a_value_is_not_repeated() {
    for line in [
        "kind = \"s3cret\"",
        "scopes = \"s3cret\"",
        "scopes = [\"a, expected s3cret\", 7]",
        "dpop = \"s3cret, expected a\"",
        "validate_authority = \"s3cret\"",
        "instance_discovery = \"s3cret\"",
        "credential = \"s3cret\"",
        "[apps.a.credential]\nsend_certificate = \"s3cret\"",
        "[apps.a.credential]\nthumbprint = {x = \"s3cret\"}",
    ] {
        let content = format!("[apps.a]\nclient_id = \"x\"\n{line}\n");
        let message = parse(Path::new("/c.toml"), &content).unwrap_err().to_string();
        assert!(!message.contains("s3cret"), "{line}: {message}");
    }
}

fn confidential(more: &str) -> String {
    format!("[apps.a]\nkind = \"confidential\"\nclient_id = \"x\"\n{more}")
}

#[test]
fn a_credential_is_in_one_of_its_forms_and_each_part_in_one_place() {
    let secret = "secret = {file = \"/s\"}";
    for (more, expected) in [
        ("", "is confidential and has no credential; write [apps.a.credential]"),
        ("credential = {}", "needs one of `secret`, `private_key` and `pfx`"),
        (&format!("credential = {{{secret}, pfx = {{file = \"/p\"}}}}"), "needs one of"),
        ("credential = {private_key = {file = \"/k\"}}", "`certificate` or `thumbprint`"),
        (&format!("credential = {{{secret}, thumbprint = \"ab\"}}"), "together with"),
        (
            &format!("credential = {{{secret}, passphrase = {{vault = \"p\"}}}}"),
            "`passphrase` with nothing",
        ),
        (&format!("credential = {{{secret}, send_certificate = true}}"), "goes with `pfx`"),
        ("credential = {secret = {file = \"s\"}}", "without its absolute path"),
        ("credential = {secret = {vault = \"../s\"}}", "cannot be called so"),
        ("credential = {secret = {systemd_credential = \".\"}}", "cannot be called so"),
        (&format!("programs = [\"x\"]\ncredential = {{{secret}}}"), "give its absolute path"),
        (
            &format!("credential = {{{secret}}}\n[apps.b]\nclient_id = \"x\"\nusers = [\"u\"]"),
            "goes with `kind",
        ),
    ] {
        let message = parse(Path::new("/c.toml"), &confidential(more)).unwrap_err().to_string();
        assert!(message.contains(expected), "{more}: {message}");
    }
    for more in [
        "credential = {secret = {vault = \"s-1\"}}",
        "programs = [\"/usr/bin/x\"]\nusers = [\"u\", 7]\n[apps.a.credential]\nprivate_key = {file = \"/k\"}\nthumbprint = \"ab\"",
        "credential = {pfx = {systemd_credential = \"p\"}, passphrase = {file = \"/p\"}, send_certificate = true}",
    ] {
        parse(Path::new("/c.toml"), &confidential(more)).unwrap();
    }
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_repeated_by_no_message() {
    let place = "systemd_credential";
    for more in [
        "credential = {secret = \"hunter2\"}",
        "credential = {secret = [\"hunter2\"]}",
        "credential = {secret = {secret = \"hunter2\"}}",
        "credential = {secret = {file = \"/s\", vault = \"hunter2\"}}",
        "credential = {secret = hunter2}",
        "credential = \"hunter2\"",
        "credential = 20061119",
        "credential = {secret = 20061119}",
        "client_secret = \"hunter2\"",
        "[apps.a.credential]\nprivate_key = \"\"\"-----BEGIN PRIVATE KEY-----\nhunter2\"\"\"",
    ] {
        let message = parse(Path::new("/c.toml"), &confidential(more)).unwrap_err().to_string();
        let is_repeated = ["hunter2", "20061119"].iter().any(|secret| message.contains(secret));
        assert!(!is_repeated, "{more}: {message}");
        // What is no TOML is told by the reader of TOML.
        let is_toml = !more.contains("= hunter2");
        assert!(!is_toml || message.contains(place), "{more}: {message}");
    }
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest_one() {
    for (content, nearest) in [
        ("[vualt]", Some("did you mean `vault`?")),
        ("[apps.a]\nclient_id = \"x\"\nclientid = \"y\"", Some("did you mean `client_id`?")),
        ("[vault]\nkey = \"keyrng\"", Some("did you mean `keyring`?")),
        ("[telemetry]", None),
    ] {
        let message = parse(Path::new("/c.toml"), content).unwrap_err().to_string();
        match nearest {
            Some(nearest) => assert!(message.ends_with(nearest), "{message}"),
            None => assert!(!message.contains("did you mean"), "{message}"),
        }
    }
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = tempfile::tempdir().unwrap().path().join("config.toml");
    let lookup = |name: &str| (name == "VALETKEY_CONFIG").then(|| OsString::from(&missing));
    let error = load(None, &lookup).unwrap_err();
    assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    assert!(load(Some(&missing), &|_| None).is_err());
}

/// Writes a file with a mode, and answers what is said of it, empty when it is read.
#[cfg(unix)]
fn said_of(mode: u32, read: impl Fn(&Path) -> Option<String>) -> String {
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    std::fs::File::create(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    read(&path).unwrap_or_default()
}

#[cfg(unix)]
#[test]
fn a_configuration_that_others_can_change_is_refused() {
    for (mode, expected) in [(0o644, ""), (0o666, "`chmod go-w`"), (0o620, "`chmod go-w`")] {
        let said = said_of(mode, |path| load(Some(path), &|_| None).err().map(|e| e.to_string()));
        assert_eq!(
            (said.is_empty(), said.contains(expected)),
            (expected.is_empty(), true),
            "{said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    for (mode, expected) in [(0o600, ""), (0o644, "`chmod 600`"), (0o640, "`chmod 600`")] {
        let said = said_of(mode, |path| {
            let config = VaultConfig { passphrase_file: Some(path.into()), ..Default::default() };
            config.read_passphrase().err().map(|error| error.to_string())
        });
        assert_eq!(
            (said.is_empty(), said.contains(expected)),
            (expected.is_empty(), true),
            "{said}"
        );
    }
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/config.schema.json");
    let generated = schemars::schema_for!(Config).to_value();
    if std::env::var_os("VALETKEY_UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&generated).unwrap() + "\n";
        #[expect(clippy::disallowed_methods, reason = "a generated file of the source tree")]
        std::fs::write(&path, text).unwrap();
    }
    // Compared as values: the order of members depends on the features that other packages switch on.
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        serde_json::from_str::<serde_json::Value>(&committed).is_ok_and(|found| found == generated),
        "packaging/config.schema.json is stale; run `VALETKEY_UPDATE=1 cargo test -p valetkeyd`"
    );
}
