//! Each source's request and answers.

mod arc;
mod source;

use serde_json::json;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

fn asking_as(id: ManagedIdentityId) -> ManagedIdentityRequest {
    ManagedIdentityRequest {
        id,
        resource: "https://r/".to_owned(),
        correlation_id: CorrelationId::new("ID").unwrap(),
        token_to_refresh: None,
        capabilities: Vec::new(),
    }
}

fn ids() -> [ManagedIdentityId; 4] {
    [
        ManagedIdentityId::SystemAssigned,
        ManagedIdentityId::ClientId("c&d".to_owned()),
        ManagedIdentityId::ResourceId("/r".to_owned()),
        ManagedIdentityId::ObjectId("o".to_owned()),
    ]
}

fn secret() -> Secret {
    Secret::new("hunter2".to_owned())
}

fn endpoint() -> Url {
    Url::parse("http://127.0.0.1:8081/token?a=b").unwrap()
}

fn app_service() -> ManagedIdentitySource {
    ManagedIdentitySource::AppService(AppService { endpoint: endpoint(), secret: secret() })
}

fn machine_learning() -> ManagedIdentitySource {
    ManagedIdentitySource::MachineLearning(MachineLearning {
        endpoint: endpoint(),
        secret: secret(),
    })
}

fn service_fabric() -> ManagedIdentitySource {
    let thumbprint = Thumbprint::parse(&"ab".repeat(20)).unwrap();
    let endpoint = Url::parse("https://127.0.0.1:2377/token?a=b").unwrap();
    ManagedIdentitySource::ServiceFabric(ServiceFabric { endpoint, secret: secret(), thumbprint })
}

fn imds() -> ManagedIdentitySource {
    ManagedIdentitySource::Imds(Imds { endpoint: endpoint() })
}

fn check_request(
    source: &ManagedIdentitySource,
    request: &ManagedIdentityRequest,
    query: &str,
    headers: &[(&str, &str)],
) {
    let built = source.build_request(request).unwrap();
    assert_eq!(built.method, "GET");
    assert!(built.asks_for_token);
    assert_eq!(built.url.query().unwrap(), format!("a=b&{query}"));
    let sent: Vec<_> = built
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(sent, headers);
    assert!(!format!("{:?}{source:?}", built.headers).contains("hunter2"));
}

#[test]
fn each_source_has_its_own_names_for_an_identity() {
    let version = env!("CARGO_PKG_VERSION");
    let imds_headers = [
        ("metadata", "true"),
        ("x-client-sku", "valetkey"),
        ("x-client-ver", version),
        ("x-ms-client-request-id", "ID"),
    ];
    let app_service_headers = [("x-identity-header", "hunter2"), ("metadata", "true")];
    let secret_header = [("secret", "hunter2")];
    for (source, headers, api_version, names) in [
        (imds(), &imds_headers[..], "2018-02-01", ["client_id", "msi_res_id", "object_id"]),
        (
            app_service(),
            &app_service_headers,
            "2019-08-01",
            ["client_id", "mi_res_id", "object_id"],
        ),
        (machine_learning(), &secret_header, "2017-09-01", ["clientid", "msi_res_id", "object_id"]),
    ] {
        let [client, resource, object] = names;
        let identities = [
            String::new(),
            format!("&{client}=c%26d"),
            format!("&{resource}=%2Fr"),
            format!("&{object}=o"),
        ];
        for (id, identity) in ids().into_iter().zip(identities) {
            let query = format!("api-version={api_version}&resource=https%3A%2F%2Fr%2F{identity}");
            check_request(&source, &asking_as(id), &query, headers);
        }
    }
}

#[test]
fn service_fabric_is_told_which_token_was_turned_down() {
    let query = "api-version=2019-07-01-preview&resource=https%3A%2F%2Fr%2F";
    let headers = [("secret", "hunter2")];
    for id in ids() {
        check_request(&service_fabric(), &asking_as(id), query, &headers);
    }
    let request = ManagedIdentityRequest {
        token_to_refresh: Some(Secret::new("abc".to_owned())),
        capabilities: vec!["CP1".to_owned(), "CP2".to_owned()],
        ..asking_as(ManagedIdentityId::SystemAssigned)
    };
    // The digest is the example of FIPS 180-2, appendix B.1.
    let query = format!(
        "{query}&token_sha256_to_refresh=\
         ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad&xms_cc=CP1%2CCP2"
    );
    check_request(&service_fabric(), &request, &query, &headers);
}

#[test]
fn a_secret_that_no_header_can_carry_names_its_variable() {
    let broken = Secret::new("a\nb".to_owned());
    let source = AppService { endpoint: endpoint(), secret: broken };
    let source = ManagedIdentitySource::AppService(source);
    let error = source.build_request(&asking_as(ManagedIdentityId::SystemAssigned)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "IDENTITY_HEADER of the environment is no text that a header can carry"
    );
}

#[test]
fn cloud_shell_knows_its_user_alone() {
    let [system, others @ ..] = ids();
    let request = ManagedIdentitySource::CloudShell.build_request(&asking_as(system)).unwrap();
    assert_eq!(request.form_value("resource"), Some("https://r/"));
    for id in others {
        let error = ManagedIdentitySource::CloudShell.build_request(&asking_as(id)).err();
        let source_name = "Azure Cloud Shell";
        assert_eq!(error, Some(ManagedIdentityError::UserAssigned { source_name }));
    }
}

fn parse(
    source: &ManagedIdentitySource,
    status: u16,
    body: &Value,
) -> Result<TokenResponse, ManagedIdentityError> {
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let request = asking_as(ManagedIdentityId::SystemAssigned);
    source.parse_response(&request, &HttpResponse::test(status, &body), NOW)
}

#[test]
fn a_token_that_lives_long_is_refreshed_at_half_its_time() {
    let lives = |seconds: i64| {
        [
            json!({"expires_in": seconds}),
            json!({"expires_in": seconds.to_string()}),
            json!({"expires_on": 1_000_000 + seconds}),
            json!({"expires_on": (1_000_000 + seconds).to_string()}),
        ]
    };
    for source in [imds(), app_service(), machine_learning(), service_fabric(), arc::arc()] {
        for (seconds, refresh_in) in [(7199, None), (7200, Some(3600)), (86_401, Some(43_200))] {
            for mut body in lives(seconds) {
                body["access_token"] = json!("AT");
                body["token_type"] = json!("Bearer");
                let token = parse(&source, 200, &body).unwrap();
                assert_eq!(token.access_token.expose(), "AT");
                assert_eq!((token.expires_in, token.refresh_in), (seconds, refresh_in), "{body}");
                assert_eq!(token.scope.target(), "https://r/");
            }
        }
    }
    let told = json!({"access_token": "AT", "expires_in": 9000, "refresh_in": 10});
    assert_eq!(parse(&imds(), 200, &told).unwrap().refresh_in, Some(10));
}

fn check_misbehaviour(
    source: &ManagedIdentitySource,
    status: u16,
    body: &Value,
    wrong: Misbehaviour,
) {
    let expected = ManagedIdentityError::Answer(wrong.into());
    assert_eq!(parse(source, status, body).err(), Some(expected), "{body}");
}

#[test]
fn a_token_without_a_lifetime_or_a_type_where_there_must_be_one_is_none() {
    let missing = |member| Misbehaviour::Missing { member };
    let eternal = json!({"access_token": "AT", "token_type": "Bearer", "expires_on": null});
    for source in [imds(), app_service(), machine_learning(), service_fabric(), arc::arc()] {
        check_misbehaviour(&source, 200, &eternal, missing("expires_on"));
        check_misbehaviour(&source, 200, &json!({"expires_in": 1}), missing("access_token"));
        check_misbehaviour(&source, 200, &json!("<html>"), Misbehaviour::NotJson { status: 200 });
    }
    let untyped = json!({"access_token": "AT", "expires_in": 1});
    check_misbehaviour(&service_fabric(), 200, &untyped, missing("token_type"));
    assert_eq!(parse(&imds(), 200, &untyped).unwrap().token_type, "Bearer");
}

fn check_refusal(source: &ManagedIdentitySource, body: &Value, error: &str, description: &str) {
    let Err(ManagedIdentityError::Answer(TokenResponseError::Refused(refusal))) =
        parse(source, 400, body)
    else {
        panic!("{body} is no refusal")
    };
    let found = refusal.error_description.as_deref().unwrap_or_default();
    assert_eq!((refusal.error.as_str(), found), (error, description), "{source:?}");
}

#[test]
fn each_source_refuses_in_its_own_words() {
    let body = json!({"error": "invalid_request", "error_description": "Identity not found"});
    check_refusal(&imds(), &body, "invalid_request", "Identity not found");
    check_refusal(&arc::arc(), &body, "invalid_request", &body.to_string());
    let body = json!({"statusCode": 400, "message": "no such identity"});
    check_refusal(&app_service(), &body, "invalid_scope", "400, no such identity");
    check_refusal(&app_service(), &json!("text"), "invalid_scope", "text");
    check_refusal(&machine_learning(), &body, "invalid_scope", &body.to_string());
    for (code, error) in [
        ("SecretHeaderNotFound", "unauthorized_client"),
        ("ManagedIdentityNotFound", "invalid_client"),
        ("ArgumentNullOrEmpty", "invalid_scope"),
        ("InvalidApiVersion", "invalid_request"),
    ] {
        let body = json!({"error": {"code": code, "message": "m"}});
        check_refusal(&service_fabric(), &body, error, &body.to_string());
    }
    check_refusal(&service_fabric(), &json!("text"), "invalid_request", "text");
    check_refusal(
        &machine_learning(),
        &json!("ü".repeat(2000)),
        "invalid_scope",
        &"ü".repeat(1024),
    );
}

#[test]
fn a_source_that_is_out_of_order_is_told_as_such() {
    let unavailable = |status| {
        let error = TokenResponseError::Unavailable { status, retry_after: None };
        Some(ManagedIdentityError::Answer(error))
    };
    for source in [imds(), app_service(), machine_learning(), service_fabric(), arc::arc()] {
        for status in [429, 500, 503] {
            assert_eq!(parse(&source, status, &json!("down")).err(), unavailable(status));
        }
        check_misbehaviour(
            &source,
            302,
            &json!({}),
            Misbehaviour::UnexpectedStatus { status: 302 },
        );
    }
    for status in [404, 410] {
        for body in [json!("<html>"), json!({})] {
            assert_eq!(parse(&imds(), status, &body).err(), unavailable(status), "{status} {body}");
        }
    }
}

#[test]
fn a_thumbprint_is_forty_digits_however_they_are_written() {
    let digits = "0123456789abcdef0123456789ABCDEF01234567";
    let bytes: [u8; 20] = [
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd,
        0xef, 0x01, 0x23, 0x45, 0x67,
    ];
    let spaced = format!(" {}:{}\r\n\t", &digits[..4], &digits[4..]);
    for text in [digits, &spaced] {
        let thumbprint = Thumbprint::parse(text).unwrap();
        assert!(thumbprint.is_of(&bytes), "{text:?}");
        assert!(!thumbprint.is_of(&[0; 20]));
    }
    for text in [
        "",
        &digits[1..],
        &format!("{digits}0"),
        &digits.replace('a', "g"),
        &digits.replace('a', "é"),
    ] {
        assert_eq!(Thumbprint::parse(text), None, "{text:?}");
    }
}
