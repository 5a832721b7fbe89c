//! Tokens given back, and answers to that.

use valetkey_model::CorrelationId;

use super::*;
use crate::discovery::tests::metadata;
use crate::{ApiId, CacheReason, ClientAuthentication};

fn build(provider: &ProviderMetadata) -> Option<HttpRequest> {
    let call = Call {
        api: ApiId::RemoveAccount,
        reason: CacheReason::NotSilent,
        correlation_id: CorrelationId::new("ID").unwrap(),
        last: String::new(),
        app_name: None,
        app_version: None,
        authentication: ClientAuthentication::None,
    };
    let client_id = ClientId::new("CID").unwrap();
    let token = Secret::new("RT".to_owned());
    build_revocation_request(provider, &client_id, &token, TokenTypeHint::RefreshToken, &call)
}

#[test]
fn a_token_is_revoked_where_the_provider_offers_it() {
    let mut provider = metadata();
    let request = build(&provider).unwrap();
    assert_eq!(request.url.as_str(), "https://op.example/t/revoke");
    let form: Vec<_> =
        request.form().iter().map(|(name, value)| (&**name, value.as_str())).collect();
    assert_eq!(form, [("client_id", "CID"), ("token", "RT"), ("token_type_hint", "refresh_token")]);
    provider.revocation_endpoint = None;
    assert!(build(&provider).is_none());
}

#[test]
fn only_a_success_means_that_the_token_is_gone() {
    for (status, body, expected) in [
        (200, "", "gone"),
        (204, "", "gone"),
        (400, "{\"error\":\"unsupported_token_type\"}", "refused"),
        (400, "{}", "misbehaved"),
        (403, "<html>", "misbehaved"),
        (302, "", "misbehaved"),
        (503, "", "unavailable"),
    ] {
        let response = HttpResponse::test(status, body);
        let outcome = match parse_revocation_response(&response, UnixTime::from_seconds(0)) {
            Ok(()) => "gone",
            Err(TokenResponseError::Refused(_)) => "refused",
            Err(TokenResponseError::Unavailable { .. }) => "unavailable",
            Err(TokenResponseError::ServerMisbehaved(_)) => "misbehaved",
        };
        assert_eq!(outcome, expected, "{status} {body}");
    }
}
