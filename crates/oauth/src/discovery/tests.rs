//! Which metadata can be trusted.

use serde_json::json;
use valetkey_model::AuthorityOptions;

use super::*;

/// A provider that has everything.
pub(crate) fn metadata() -> ProviderMetadata {
    parse("https://op.example/t", true, &document()).unwrap()
}

fn document() -> Value {
    json!({
        "issuer": "https://op.example/t",
        "authorization_endpoint": "https://op.example/t/authorize",
        "token_endpoint": "https://op.example/t/token",
        "device_authorization_endpoint": "https://op.example/t/device",
        "revocation_endpoint": "https://op.example/t/revoke",
        "end_session_endpoint": "https://op.example/t/logout",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut document = document();
    document[member] = value;
    document
}

fn authority(text: &str, oidc: bool) -> Authority {
    Authority::parse(text, AuthorityOptions { oidc, validate: true }).unwrap()
}

fn parse(text: &str, oidc: bool, document: &Value) -> Result<ProviderMetadata, DiscoveryError> {
    let response = HttpResponse::test(200, &document.to_string());
    parse_provider_metadata(&authority(text, oidc), &response)
}

#[test]
fn a_secret_goes_by_http_basic_where_the_body_is_not_taken() {
    for (methods, expected) in [
        (json!(null), false),
        (json!([]), false),
        (json!(["private_key_jwt"]), false),
        (json!(["client_secret_basic", "client_secret_post"]), false),
        (json!(["client_secret_post"]), false),
        (json!(["client_secret_basic"]), true),
        (json!(["none", "client_secret_basic", "private_key_jwt"]), true),
    ] {
        let document = with("token_endpoint_auth_methods_supported", methods.clone());
        let metadata = parse("https://op.example/t", true, &document).unwrap();
        assert_eq!(metadata.needs_secret_as_basic(), expected, "{methods}");
    }
}

#[test]
fn endpoints_are_read_and_the_realm_is_the_token_endpoints_first_segment() {
    let metadata = metadata();
    assert_eq!(metadata.realm(), "t");
    assert_eq!(metadata.token_endpoint.as_str(), "https://op.example/t/token");
    assert_eq!(metadata.revocation_endpoint.unwrap().as_str(), "https://op.example/t/revoke");
    assert!(!metadata.authorization_response_iss_parameter_supported);
    let bare =
        parse("https://op.example", true, &with("token_endpoint", json!("https://op.example")));
    assert_eq!(bare.unwrap().realm(), "");
}

#[test]
fn what_a_provider_announces_is_read() {
    let mut document = with("authorization_response_iss_parameter_supported", json!(true));
    document["response_modes_supported"] = json!(["query", "form_post"]);
    document["code_challenge_methods_supported"] = json!(["plain", "S256"]);
    let announced = parse("https://op.example/t", true, &document).unwrap();
    assert!(announced.authorization_response_iss_parameter_supported);
    assert!(announced.supports_form_post() && !metadata().supports_form_post());
}

#[test]
fn metadata_that_cannot_be_trusted_is_refused_with_the_members_name() {
    let insecure = |member| DiscoveryError::InsecureEndpoint { member };
    let wrong = |member| DiscoveryError::from(Misbehaviour::WrongType { member });
    let missing = |member| DiscoveryError::from(Misbehaviour::Missing { member });
    for (member, value, expected) in [
        ("token_endpoint", json!(null), missing("token_endpoint")),
        ("token_endpoint", json!(7), wrong("token_endpoint")),
        ("token_endpoint", json!("token"), wrong("token_endpoint")),
        ("token_endpoint", json!("https://op.example/#x"), wrong("token_endpoint")),
        ("token_endpoint", json!("https://u:p@op.example/"), wrong("token_endpoint")),
        ("token_endpoint", json!("http://op.example/t/token"), insecure("token_endpoint")),
        ("token_endpoint", json!("http://127.0.0.1/t/token"), insecure("token_endpoint")),
        ("authorization_endpoint", json!(""), missing("authorization_endpoint")),
        (
            "authorization_endpoint",
            json!("javascript:alert(1)"),
            insecure("authorization_endpoint"),
        ),
        ("revocation_endpoint", json!("http://op.example/"), insecure("revocation_endpoint")),
        (
            "device_authorization_endpoint",
            json!("file:///x"),
            insecure("device_authorization_endpoint"),
        ),
        ("code_challenge_methods_supported", json!(["plain"]), DiscoveryError::NoPkce),
        ("code_challenge_methods_supported", json!([]), DiscoveryError::NoPkce),
    ] {
        let parsed = parse("https://op.example/t", true, &with(member, value.clone()));
        assert_eq!(parsed, Err(expected), "{member}: {value}");
    }
}

#[test]
fn a_provider_on_this_machine_may_do_without_tls() {
    let document = |host: &str| {
        let at = |path: &str| format!("http://{host}/t/{path}");
        json!({"issuer": "http://127.0.0.1:8080/t", "authorization_endpoint": at("a"), "token_endpoint": at("t")})
    };
    for (host, expected) in [
        ("127.0.0.1:8080", Ok("t")),
        ("[::1]:1", Ok("t")),
        ("localhost", Ok("t")),
        (
            "localhost.evil.example",
            Err(DiscoveryError::InsecureEndpoint { member: "authorization_endpoint" }),
        ),
    ] {
        let parsed = parse("http://127.0.0.1:8080/t", true, &document(host));
        let realm = parsed.as_ref().map(ProviderMetadata::realm).map_err(Clone::clone);
        assert_eq!(realm, expected, "{host}");
    }
}

#[test]
fn a_provider_with_tls_names_no_endpoint_without_though_both_are_on_this_machine() {
    let document = json!({
        "issuer": "https://localhost:8443/t",
        "authorization_endpoint": "https://localhost:8443/t/a",
        "token_endpoint": "http://localhost:1/t",
    });
    let parsed = parse("https://localhost:8443/t", true, &document);
    assert_eq!(parsed, Err(DiscoveryError::InsecureEndpoint { member: "token_endpoint" }));
}

#[test]
fn only_a_generic_providers_issuer_is_compared_with_the_authority() {
    let foreign = with("issuer", json!("https://evil.example/t"));
    let expected = DiscoveryError::ForeignIssuer {
        authority: "https://op.example/t".to_owned(),
        issuer: "https://evil.example/t".to_owned(),
    };
    assert_eq!(parse("https://op.example/t", true, &foreign), Err(expected));
    assert!(parse("https://op.example/dstsv2/t", false, &foreign).is_err());
    assert!(parse("https://op.example/adfs", false, &foreign).is_ok());
    assert!(parse("https://login.microsoftonline.com/t", false, &foreign).is_ok());
}

#[test]
fn a_failing_discovery_says_who_is_at_fault() {
    let authority = authority("https://login.microsoftonline.com/nobody", false);
    let name = "https://login.microsoftonline.com/nobody".to_owned();
    for (status, body, expected) in [
        (400, "{}", DiscoveryError::Refused { authority: name.clone(), status: 400 }),
        (404, "<html>", DiscoveryError::Refused { authority: name, status: 404 }),
        (500, "{}", DiscoveryError::Unavailable { status: 500 }),
        (200, "<html>", Misbehaviour::NotJson { status: 200 }.into()),
        (200, "[]", Misbehaviour::NotAnObject { status: 200 }.into()),
        (302, "", Misbehaviour::UnexpectedStatus { status: 302 }.into()),
    ] {
        let parsed = parse_provider_metadata(&authority, &HttpResponse::test(status, body));
        assert_eq!(parsed, Err(expected), "{status} {body}");
    }
}

#[test]
fn an_unknown_host_is_looked_up_at_microsoft_or_where_the_application_says() {
    let authority = authority("https://unknown.example/tenant/", false);
    let own = Url::parse("https://login.microsoftonline.us/common/discovery/instance").unwrap();
    let query = "api-version=1.0&authorization_endpoint=\
        https%3A%2F%2Funknown.example%2Ftenant%2Foauth2%2Fv2.0%2Fauthorize";
    for (endpoint, host) in
        [(None, "login.microsoftonline.com"), (Some(&own), "login.microsoftonline.us")]
    {
        let request = build_instance_discovery_request(&authority, endpoint);
        let expected = format!("https://{host}/common/discovery/instance?{query}");
        assert_eq!(request.url.as_str(), expected);
        assert!(request.headers.is_empty());
    }
}

#[test]
fn instance_discovery_brings_the_metadatas_url_or_refuses_the_host() {
    let authority = authority("https://unknown.example/tenant", false);
    let member = "tenant_discovery_endpoint";
    let host = "unknown.example".to_owned();
    let refusal = DiscoveryError::InvalidInstance { host: host.clone() }.to_string();
    for word in ["unknown.example", "`validate_authority = false`", "`--no-validate-authority`"] {
        assert!(refusal.contains(word), "{refusal}");
    }
    for (status, body, expected) in [
        (200, json!({member: "https://a/m"}), Ok("https://a/m")),
        (400, json!({"error": "invalid_instance"}), Err(DiscoveryError::InvalidInstance { host })),
        (200, json!({}), Err(Misbehaviour::Missing { member }.into())),
        (200, json!({member: "m"}), Err(Misbehaviour::WrongType { member }.into())),
        (200, json!({member: "http://a/m"}), Err(DiscoveryError::InsecureEndpoint { member })),
        (503, json!({}), Err(DiscoveryError::Unavailable { status: 503 })),
    ] {
        let response = HttpResponse::test(status, &body.to_string());
        let parsed = parse_instance_discovery(&authority, &response);
        assert_eq!(parsed.as_ref().map(Url::as_str).map_err(Clone::clone), expected, "{body}");
    }
}

#[test]
fn aliases_are_known_for_microsofts_hosts_and_read_for_others() {
    for host in valetkey_model::WELL_KNOWN_HOSTS {
        assert_eq!(
            KNOWN_ALIAS_GROUPS.iter().filter(|group| group.contains(&host)).count(),
            1,
            "{host}"
        );
    }
    let aliases: Vec<&str> = known_aliases("login.windows.net").collect();
    assert_eq!(aliases, ["login.microsoftonline.com", "login.microsoft.com", "sts.windows.net"]);
    assert_eq!(known_aliases("unknown.example").count(), 0);

    let body = json!({"metadata": [{"aliases": ["A.example", "b.example"]}, {"aliases": 1}, 7]});
    let groups = parse_aliases(&HttpResponse::test(200, &body.to_string()));
    assert_eq!(groups, Ok(vec![vec!["a.example".to_owned(), "b.example".to_owned()]]));
    for (status, expected) in [
        (200, Misbehaviour::Missing { member: "metadata" }.into()),
        (400, Misbehaviour::UnexpectedStatus { status: 400 }.into()),
        (500, AliasError::Unavailable { status: 500 }),
    ] {
        assert_eq!(parse_aliases(&HttpResponse::test(status, "{}")), Err(expected));
    }
}

#[test]
fn a_host_that_is_not_microsofts_has_tokens_sent_to_itself_or_to_microsoft() {
    let (own, page) = ("https://login.corp.example/t", "https://login.corp.example/~evil/page");
    let adfs = "https://fs.corp.example/adfs";
    let local = "http://127.0.0.1:8080/common";
    for (given, member, endpoint, is_taken) in [
        (own, "token_endpoint", "https://login.corp.example/other/token", true),
        (own, "token_endpoint", "https://login.microsoftonline.com/t/token", true),
        (own, "token_endpoint", "https://t.ciamlogin.com/t/token", true),
        (own, "authorization_endpoint", "https://pages.corp.example/authorize", true),
        (page, "token_endpoint", "https://evil.example/token", false),
        (page, "revocation_endpoint", "https://evil.example/revoke", false),
        (page, "device_authorization_endpoint", "https://evil.example/device", false),
        (own, "token_endpoint", "https://login.corp.example:444/token", false),
        (own, "token_endpoint", "https://login.microsoftonline.com.evil.example/token", false),
        (adfs, "token_endpoint", "https://fs.corp.example/adfs/token", true),
        (adfs, "token_endpoint", "https://evil.example/adfs/token", false),
        (local, "token_endpoint", "http://127.0.0.1:8080/t/token", true),
        (local, "token_endpoint", "http://127.0.0.1:8081/t/token", false),
        ("https://login.microsoftonline.com/t", "token_endpoint", "https://new.example/t", true),
    ] {
        let given = authority(given, false);
        let url = |path| given.url().join(path).unwrap().to_string();
        let mut document = json!({
            "authorization_endpoint": url("/authorize"), "token_endpoint": url("/token"),
        });
        document[member] = json!(endpoint);
        let response = HttpResponse::test(200, &document.to_string());
        let outcome = parse_provider_metadata(&given, &response);
        assert_eq!(outcome.is_ok(), is_taken, "{given} {member} {endpoint}: {outcome:?}");
        let is_foreign = matches!(outcome, Err(DiscoveryError::ForeignEndpoint { .. }));
        assert_eq!(is_foreign, !is_taken, "{given} {member} {endpoint}: {outcome:?}");
    }
}

#[test]
fn of_metadata_no_more_is_kept_than_what_is_read() {
    let bloated = with("x_ballast", json!("x".repeat(1_000_000)));
    let reduced = reduce_provider_metadata(&HttpResponse::test(200, &bloated.to_string())).unwrap();
    assert!(reduced.body.len() < 1000);
    let whole = parse("https://op.example/t", true, &document()).unwrap();
    let read = parse_provider_metadata(&authority("https://op.example/t", true), &reduced);
    assert_eq!(read, Ok(whole));
    let endless = with("issuer", json!("x".repeat(MAX_METADATA)));
    let refused = reduce_provider_metadata(&HttpResponse::test(200, &endless.to_string()));
    assert_eq!(refused.err(), Some(Misbehaviour::TooLarge { limit: MAX_METADATA }.into()));
}
