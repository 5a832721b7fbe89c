//! Token requests, field by field.

use valetkey_model::{AccountId, CorrelationId, ScopeSet};

use super::*;
use crate::discovery::tests::metadata;
use crate::{ApiId, CacheReason};

fn call(authentication: ClientAuthentication) -> Call {
    Call {
        api: ApiId::Silent,
        reason: CacheReason::Expired,
        correlation_id: CorrelationId::new("ID").unwrap(),
        last: "4|0|||".to_owned(),
        app_name: Some("an app".to_owned()),
        app_version: Some("naïve\n".to_owned()),
        authentication,
    }
}

fn refresh(authentication: ClientAuthentication, account: Option<&str>) -> HttpRequest {
    let grant = RefreshTokenGrant {
        refresh_token: Secret::new("RT".to_owned()),
        scopes: ScopeSet::from_target("b a"),
        claims: Some("{}".to_owned()),
        account: account.map(|account| AccountId::new(account).unwrap()),
    };
    let client_id = ClientId::new("CID").unwrap();
    build_refresh_token_request(&metadata(), &client_id, &grant, &call(authentication))
}

#[test]
fn a_client_proves_itself_in_the_body_in_msals_order() {
    let secret = |text: &str| Secret::new(text.to_owned());
    for (authentication, expected) in [
        (ClientAuthentication::None, &["client_info=1"][..]),
        (ClientAuthentication::Secret(secret("S")), &["client_info=1", "client_secret=S"]),
        (
            ClientAuthentication::Assertion(secret("A")),
            &[
                "client_assertion=A",
                "client_info=1",
                "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ],
        ),
    ] {
        let request = refresh(authentication, None);
        let form: Vec<String> = request
            .form()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str()))
            .collect();
        let mut wanted = vec!["client_id=CID", "grant_type=refresh_token"];
        wanted.extend(expected);
        wanted.extend(["claims={}", "refresh_token=RT", "scope=a b"]);
        assert_eq!(form, wanted);
        assert_eq!(request.url.as_str(), "https://op.example/t/token");
    }
}

#[test]
fn a_secret_by_http_basic_is_encoded_first_and_stands_nowhere_else() {
    let secret = Secret::new("a secret: 50%+ü".to_owned());
    let request = refresh(ClientAuthentication::Basic(secret), None);
    // CID:a+secret%3A+50%25%2B%C3%BC
    let expected = "Basic Q0lEOmErc2VjcmV0JTNBKzUwJTI1JTJCJUMzJUJD";
    assert_eq!(request.headers["authorization"], expected);
    assert!(request.headers["authorization"].is_sensitive());
    let names: Vec<_> = request.form().iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["grant_type", "client_info", "claims", "refresh_token", "scope"]);
}

#[test]
fn a_header_that_cannot_be_sent_is_left_out() {
    let headers = refresh(ClientAuthentication::None, Some("uid.utid")).headers;
    assert_eq!(headers["x-app-name"], "an app");
    assert!(!headers.contains_key("x-app-ver"));
    assert_eq!(headers["x-anchormailbox"], "Oid:uid@utid");
}

#[test]
fn debug_of_a_request_shows_no_secret() {
    let request = refresh(ClientAuthentication::Secret(Secret::new("hunter2".to_owned())), None);
    assert_eq!(format!("{request:?}"), "HttpRequest(POST https://op.example/t/token)");
}

#[test]
fn an_assertion_is_sent_as_it_came_in_base64url() {
    let client_id = ClientId::new("CID").unwrap();
    for (version, grant_type) in [
        (SamlVersion::V1, "urn:ietf:params:oauth:grant-type:saml1_1-bearer"),
        (SamlVersion::V2, "urn:ietf:params:oauth:grant-type:saml2-bearer"),
    ] {
        let xml = Secret::new("<a  b='ü?>'/>".to_owned());
        let grant = SamlAssertionGrant {
            assertion: SamlAssertion { version, xml },
            scopes: ScopeSet::from_target("a"),
            claims: None,
        };
        let call = call(ClientAuthentication::None);
        let request = build_saml_assertion_request(&metadata(), &client_id, &grant, &call);
        assert_eq!(request.form_value("grant_type"), Some(grant_type));
        assert_eq!(request.form_value("assertion"), Some("PGEgIGI9J8O8Pz4nLz4"));
        assert_eq!(request.form_value("client_info"), Some("1"));
        assert!(!request.headers.contains_key("x-anchormailbox"));
    }
}
