//! What Cloud Shell is asked, and who its user is.

use base64::Engine as _;

use super::*;
use crate::home_account_id;
use crate::id_token::BASE64_URL;

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

#[test]
fn a_scope_is_of_a_resource() {
    let vectors = include_str!("../../../../tests/vectors/msal/cloudshell_scope_to_resource.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 7);
    for case in vectors {
        assert_eq!(scope_to_resource(case["scope"].as_str().unwrap()), case["resource"]);
    }
}

fn extra(token_type: Option<&str>) -> ExtraFields {
    let fields = token_type.map(|it| ("token_type".to_owned(), it.to_owned()));
    ExtraFields::new(fields).unwrap()
}

#[test]
fn the_shells_own_endpoint_is_asked_for_the_resource() {
    let scopes = ScopeSet::from_target("https://management.azure.com//.default");
    let extra = [("token_type", "ssh-cert"), ("resource", "another")];
    let extra = extra.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let extra = ExtraFields::new(extra).unwrap();
    let request = build_cloud_shell_request(cloud_shell_endpoint(), &scopes, &extra);
    assert_eq!(request.url.as_str(), "http://localhost:50342/oauth2/token");
    assert_eq!(
        (request.method.as_str(), &request.headers["metadata"]),
        ("POST", &"true".parse().unwrap())
    );
    assert_eq!(request.form_value("resource"), Some("https://management.azure.com/"));
    assert_eq!(request.form_value("token_type"), Some("ssh-cert"));
    assert_eq!(request.form().len(), 2);
    assert!(request.asks_for_token);
    let scopes = ScopeSet::from_target("https://a.example/x https://b.example/y");
    let request =
        build_cloud_shell_request(cloud_shell_endpoint(), &scopes, &ExtraFields::default());
    assert_eq!(request.form_value("resource"), Some("https://a.example https://b.example"));
}

fn parse(
    status: u16,
    body: &Value,
    token_type: Option<&str>,
) -> Result<CloudShellToken, TokenResponseError> {
    let (client_id, scopes) = (ClientId::new("CID").unwrap(), ScopeSet::from_target("a/.default"));
    let response = HttpResponse::test(status, &body.to_string());
    parse_cloud_shell_token(&client_id, &scopes, &extra(token_type), &response, NOW)
}

fn check_user(access_token: &str, account: &str, claims: &Value) {
    let body = json!({"access_token": access_token, "expires_in": "3599", "token_type": "Bearer",
                      "resource": "a", "not_before": "1", "refresh_in": 60, "foci": "1"});
    let CloudShellToken { token, claims: found } = parse(200, &body, None).unwrap();
    assert_eq!((token.expires_in, token.scope.target()), (3599, "a/.default"));
    let home = home_account_id(token.client_info.as_ref(), None).unwrap();
    assert_eq!(home.as_str(), account);
    let told = token.fields["client_info"].as_str().unwrap();
    assert_eq!((ClientInfo::decode(told), token.fields.len()), (token.client_info, 1));
    assert_eq!((token.refresh_in, token.foci), (None, None));
    assert_eq!(json!(found.members()), *claims);
}

#[test]
fn the_user_is_read_from_the_token_or_made_up() {
    let payload = json!({"oid": "OID", "tid": "TID", "iss": "ISS", "sub": "SUB", "upn": "u@c.com",
                         "exp": 7, "iat": 5, "aud": "https://management.azure.com"});
    check_user(
        &format!("h.{}.s", BASE64_URL.encode(payload.to_string())),
        "OID.TID",
        &json!({"iss": "ISS", "sub": "SUB", "aud": "CID", "exp": 7, "iat": 5,
                "preferred_username": "u@c.com", "tid": "TID"}),
    );
    for unreadable in ["opaque", "a.%%%.c", "a.e30.c"] {
        check_user(
            unreadable,
            "user.cloudshell",
            &json!({"iss": "cloudshell", "sub": "user", "aud": "CID", "exp": 1_003_600,
                    "iat": 1_000_000, "preferred_username": "currentuser@cloudshell",
                    "tid": "cloudshell"}),
        );
    }
}

fn check_refusal(status: u16, body: &Value, token_type: Option<&str>, expected: (&str, &str)) {
    let Err(TokenResponseError::Refused(refusal)) = parse(status, body, token_type) else {
        panic!("{body} is no refusal")
    };
    let description = refusal.error_description.as_deref().unwrap_or_default();
    assert_eq!((refusal.error.as_str(), description), expected);
}

#[test]
fn refusals_are_told_in_oauths_words() {
    let token = json!({"access_token": "AT", "expires_in": 1, "token_type": "Bearer"});
    let unsupported = "token_type ssh-cert is not supported by this version of Azure Cloud Shell";
    check_refusal(200, &token, Some("ssh-cert"), ("broker_error", unsupported));
    let refused = json!({"error": {"code": "AudienceNotSupported", "message": "no"}});
    check_refusal(400, &refused, None, ("AudienceNotSupported", "no"));
    for (status, body, error) in [
        (503, json!({}), TokenResponseError::Unavailable { status: 503, retry_after: None }),
        (400, json!({}), Misbehaviour::NoErrorCode { status: 400 }.into()),
        (400, json!({"error": "no"}), Misbehaviour::NoErrorCode { status: 400 }.into()),
        (400, json!({"error": {"code": "a\nb"}}), Misbehaviour::BadErrorCode.into()),
        (400, json!({"error": {"code": "x".repeat(129)}}), Misbehaviour::BadErrorCode.into()),
        (400, json!([]), Misbehaviour::NotAnObject { status: 400 }.into()),
        (200, json!({"expires_in": 1}), Misbehaviour::Missing { member: "access_token" }.into()),
    ] {
        assert_eq!(parse(status, &body, None).err(), Some(error), "{body}");
    }
}
