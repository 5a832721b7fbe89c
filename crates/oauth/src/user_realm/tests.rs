//! Where a user's password belongs.

use valetkey_model::AuthorityOptions;

use super::*;
use crate::WsTrustVersion;

fn authority(text: &str) -> Authority {
    Authority::parse(text, AuthorityOptions::default()).unwrap()
}

#[test]
fn a_name_cannot_change_what_is_asked() {
    let authority = authority("https://login.microsoftonline.com/TENANT?dc=1");
    let id = CorrelationId::new("ID").unwrap();
    for (username, path) in [
        // As MSAL was recorded (`wire_traces.json`, "ROPC managed").
        ("u@c.com", "u@c.com"),
        ("a/../b?c#d%e f", "a%2F..%2Fb%3Fc%23d%25e%20f"),
        ("ü@c.com", "%C3%BC@c.com"),
        ("..", ""),
    ] {
        let request = build_user_realm_request(&authority, username, &id);
        let url = request.url.as_str();
        let start = "https://login.microsoftonline.com/common/userrealm";
        let path = Some(path).filter(|path| !path.is_empty());
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        assert_eq!(url, format!("{start}{path}?api-version=1.0"));
        assert_eq!(request.headers["accept"], "application/json");
        assert_eq!(request.headers["client-request-id"], "ID");
        assert!(!request.asks_for_token);
    }
}

fn check(status: u16, body: &str, expected: Result<UserRealm, UserRealmError>) {
    let response = HttpResponse::test(status, body);
    let authority = authority("https://login.microsoftonline.com/TENANT");
    assert_eq!(parse_user_realm(&authority, &response), expected, "{status} {body}");
}

fn federated(endpoint: FederatedEndpoint, audience: &str) -> Result<UserRealm, UserRealmError> {
    Ok(UserRealm::Federated(FederatedDomain { endpoint, audience: audience.to_owned() }))
}

#[test]
fn a_federated_domain_is_described_or_known_by_its_path() {
    let url = |text: &str| Url::parse(text).unwrap();
    check(
        200,
        r#"{"account_type": "Federated", "federation_metadata_url": "https://fs.c.com/mex",
            "federation_active_auth_url": "https://fs.c.com/adfs/services/trust/2005/usernamemixed",
            "cloud_audience_urn": "urn:federation:other"}"#,
        federated(
            FederatedEndpoint::DescribedAt(url("https://fs.c.com/mex")),
            "urn:federation:other",
        ),
    );
    for (path, version) in [
        ("/adfs/services/trust/2005/usernamemixed", WsTrustVersion::V2005),
        ("/adfs/services/trust/13/UserNameMixed/", WsTrustVersion::V13),
    ] {
        let address = format!("https://fs.c.com{path}");
        let body = format!(
            r#"{{"account_type": "Federated", "federation_metadata_url": "",
                "federation_active_auth_url": "{address}"}}"#
        );
        let endpoint = WsTrustEndpoint { url: url(&address), version };
        check(200, &body, federated(FederatedEndpoint::Known(endpoint), DEFAULT_AUDIENCE));
    }
}

#[test]
fn everybody_else_is_managed() {
    for (status, body) in [
        (200, r#"{"account_type": "Managed"}"#),
        (200, r#"{"account_type": "Unknown", "federation_metadata_url": "http://c.com"}"#),
        (200, "{}"),
        (404, "<html>"),
    ] {
        check(status, body, Ok(UserRealm::Managed));
    }
}

#[test]
fn a_realm_that_cannot_be_followed_safely_is_refused() {
    for (status, body, error) in [
        (
            200,
            r#"{"account_type": "Federated", "federation_metadata_url": "http://fs.c.com/mex"}"#,
            UserRealmError::InsecureEndpoint { member: "federation_metadata_url" },
        ),
        (
            200,
            r#"{"account_type": "Federated", "federation_metadata_url": "http://127.0.0.1/mex"}"#,
            UserRealmError::InsecureEndpoint { member: "federation_metadata_url" },
        ),
        (
            200,
            r#"{"account_type": "Federated", "federation_active_auth_url":
                "http://fs.c.com/trust/13/usernamemixed"}"#,
            UserRealmError::InsecureEndpoint { member: "federation_active_auth_url" },
        ),
        (
            200,
            r#"{"account_type": "Federated", "federation_metadata_url": "mex"}"#,
            Misbehaviour::WrongType { member: "federation_metadata_url" }.into(),
        ),
        (200, r#"{"account_type": "Federated"}"#, UserRealmError::NoEndpoint),
        (
            200,
            r#"{"account_type": "Federated", "federation_active_auth_url": "https://fs.c.com/x"}"#,
            UserRealmError::NoEndpoint,
        ),
        (200, "<html>", Misbehaviour::NotJson { status: 200 }.into()),
        (302, "", Misbehaviour::UnexpectedStatus { status: 302 }.into()),
        (400, "{}", Misbehaviour::UnexpectedStatus { status: 400 }.into()),
        (429, "{}", UserRealmError::Unavailable { status: 429 }),
        (503, "{}", UserRealmError::Unavailable { status: 503 }),
    ] {
        check(status, body, Err(error));
    }
}
