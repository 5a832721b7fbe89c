//! Tenants, instances and the documents about them.

use serde_json::Value;

use super::http::{get, start};
use crate::entra::{CONSUMERS, CONTOSO, FABRIKAM};

#[tokio::test]
async fn a_tenant_is_described_under_the_name_that_entra_gives_it() {
    let emulator = start(|_| {}).await;
    let base = emulator.base_url();
    for (path, in_endpoints, issuer) in [
        ("/common/v2.0", "common", "{tenantid}/v2.0".to_owned()),
        ("/common//v2.0", "common", "{tenantid}/v2.0".to_owned()),
        ("/organizations/v2.0", "organizations", "{tenantid}/v2.0".to_owned()),
        ("/consumers/v2.0", "consumers", format!("{CONSUMERS}/v2.0")),
        ("/contoso.onmicrosoft.com/v2.0", CONTOSO, format!("{CONTOSO}/v2.0")),
        (&format!("/{}/v2.0", FABRIKAM.to_uppercase()), FABRIKAM, format!("{FABRIKAM}/v2.0")),
        (
            "/fabrikam.com/b2c_1_in/v2.0",
            &format!("{FABRIKAM}/b2c_1_in"),
            format!("{FABRIKAM}/v2.0"),
        ),
    ] {
        let answer = get(&emulator, &format!("{path}/.well-known/openid-configuration")).await;
        assert_eq!(answer.status, 200, "{path}");
        let document = answer.json();
        assert_eq!(
            document["token_endpoint"],
            format!("{base}/{in_endpoints}/oauth2/v2.0/token"),
            "{path}"
        );
        assert_eq!(document["issuer"], format!("{base}/{issuer}"), "{path}");
    }
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_refused_by_number() {
    let emulator = start(|_| {}).await;
    for (tenant, number) in [
        ("00000000-1111-4222-8333-444444444444", 90_002),
        ("nowhere.example", 90_002),
        ("nowhere", 900_023),
    ] {
        let answer =
            get(&emulator, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!(answer.status, 400, "{tenant}");
        assert_eq!(answer.json()["error_codes"], serde_json::json!([number]), "{tenant}");
    }
}

#[tokio::test]
async fn adfs_is_found_without_v2() {
    let emulator = start(|_| {}).await;
    let document = get(&emulator, "/adfs/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], emulator.authority("adfs"));
    assert_eq!(document["token_endpoint"], format!("{}/oauth2/token/", emulator.authority("adfs")));
}

#[tokio::test]
async fn the_generic_personality_advertises_revocation_and_no_entra_members() {
    let emulator = start(|options| options.generic_oidc = true).await;
    let document = get(&emulator, "/anyone/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], emulator.authority("anyone"));
    assert_eq!(document["revocation_endpoint"], format!("{}/revoke", emulator.authority("anyone")));
    assert_eq!(document["cloud_instance_name"], Value::Null);
}

#[tokio::test]
async fn documents_name_the_public_url_when_there_is_one() {
    let emulator =
        start(|options| options.public_url = Some("https://login.microsoftonline.com/".into()))
            .await;
    let document = get(&emulator, "/common/v2.0/.well-known/openid-configuration").await.json();
    assert_eq!(
        document["token_endpoint"],
        "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    );
}

#[tokio::test]
async fn instance_discovery_vouches_for_known_hosts_only() {
    let emulator = start(|options| options.trusted_hosts = vec!["login.corp.example".into()]).await;
    let own = format!("{}/t/v2.0/.well-known/openid-configuration", emulator.base_url());
    for (host, expected) in [
        (
            "login.windows.net",
            Some("https://login.windows.net/t/v2.0/.well-known/openid-configuration"),
        ),
        (
            "login.corp.example",
            Some("https://login.corp.example/t/v2.0/.well-known/openid-configuration"),
        ),
        ("127.0.0.1", Some(own.as_str())),
        ("localhost", Some(own.as_str())),
        ("evil.example", None),
    ] {
        let path = format!(
            "/common/discovery/instance?api-version=1.0&authorization_endpoint=https%3A%2F%2F{host}%2Ft%2Foauth2%2Fv2.0%2Fauthorize"
        );
        let answer = get(&emulator, &path).await;
        let found = answer.json();
        assert_eq!(found["tenant_discovery_endpoint"].as_str(), expected, "{host}");
        assert_eq!(found["error"] == "invalid_instance", expected.is_none(), "{host}");
        assert_eq!(found["metadata"], Value::Null);
    }
}

#[tokio::test]
async fn newer_instance_discovery_lists_the_aliases() {
    let emulator = start(|_| {}).await;
    let path = "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/authorize";
    let metadata = get(&emulator, path).await.json()["metadata"].clone();
    let public = &metadata[0];
    assert_eq!(public["preferred_network"], "login.microsoftonline.com");
    assert_eq!(public["preferred_cache"], "login.windows.net");
    assert_eq!(public["aliases"].as_array().map(Vec::len), Some(4));
    assert_eq!(metadata[3]["aliases"], serde_json::json!(["login.microsoftonline.de"]));
}
