//! What `valetkey doctor` says of a daemon of another version.

use serde_json::{Value, json};

use crate::{daemon, run, valetkey};

fn told(version: &'static str) -> Value {
    let daemon = daemon(move |request| match request.target.as_str() {
        "/v1/status" => (
            200,
            json!({
                "version": version, "pid": 1, "uptime_seconds": 1, "socket": "/s", "locked": false,
                "key": {"provider": "keyring", "protection": "somewhere"},
                "store": {"path": "/state", "problems": [], "unsaved": 0},
                "counts": {"apps": 0, "accounts": 0, "access_tokens": 0, "refresh_tokens": 0, "flows": 0},
            }),
        ),
        _ => (200, json!({"findings": []})),
    });
    let words = ["doctor", "--output", "json"];
    let outcome = run(&mut valetkey(&daemon.endpoint, &words), "");
    let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["about"] == "daemon").unwrap().clone()
}

#[test]
fn the_older_of_daemon_and_command_is_the_one_to_update() {
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(told(own)["verdict"], "good");
    for (version, hint) in [
        ("0.0.9", "End valetkeyd; the next command starts the newer one"),
        ("99.10.0", "Update this command (`valetkey`)"),
        ("0.10.0-rc.1", "Update this command (`valetkey`)"),
    ] {
        let found = told(version);
        assert_eq!(found["verdict"], "warning", "{version}");
        assert!(found["hint"].as_str().unwrap().starts_with(hint), "{version}: {found}");
    }
}
