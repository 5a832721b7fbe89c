//! ID tokens read, and checked against the request.

use serde_json::json;

use super::*;

fn encode(payload: &str) -> Secret {
    Secret::new(format!("h.{}.s", BASE64_URL.encode(payload)))
}

fn claims(members: Value) -> IdTokenClaims {
    decode_id_token(&encode(&members.to_string())).unwrap()
}

#[test]
fn claims_are_read_whatever_the_padding() {
    for id_token in ["h.eyJzdWIiOiJTIn0.s", "h.eyJzdWIiOiJTIn0=.s"] {
        let claims = decode_id_token(&Secret::new(id_token.to_owned())).unwrap();
        assert_eq!(claims.subject(), Some("S"));
    }
    let claims = claims(json!({
        "iss": "I", "sub": "S", "oid": "O", "tid": "T", "upn": "U", "aud": ["A", "B"], "auth_time": 5,
    }));
    assert_eq!((claims.issuer(), claims.object_id()), (Some("I"), Some("O")));
    assert_eq!((claims.tenant_id(), claims.username()), (Some("T"), Some("U")));
    assert_eq!(claims.audiences(), ["A", "B"]);
    assert_eq!(claims.auth_time(), Some(UnixTime::from_seconds(5)));
    assert_eq!(format!("{claims:?}"), "IdTokenClaims");
}

#[test]
fn what_is_no_id_token_cannot_be_read() {
    for text in ["", "a.b", "a.%.c", "a.b.c.d", "a.bnVsbA.c", "a.W10.c", "a.eyJ9.c"] {
        let id_token = Secret::new(text.to_owned());
        assert_eq!(decode_id_token(&id_token), Err(IdTokenError::Unreadable), "{text:?}");
    }
}

#[test]
fn the_nonce_must_come_back_as_its_digest() {
    let nonce = Nonce::from_text("raw".to_owned());
    for (given, expected) in [
        (json!(nonce.sent()), Ok(())),
        (json!("raw"), Err(IdTokenError::NonceMismatch)),
        (json!(""), Err(IdTokenError::NonceMismatch)),
        (json!(null), Err(IdTokenError::NonceMismatch)),
        (json!(7), Err(IdTokenError::NonceMismatch)),
    ] {
        assert_eq!(claims(json!({"nonce": given})).check_nonce(&nonce), expected, "{given}");
    }
}

#[test]
fn max_age_counts_from_auth_time_with_two_minutes_of_skew() {
    for (auth_time, now, expected) in [
        (json!(1000), 1420, Ok(())),
        (json!(1000), 1421, Err(IdTokenError::AuthTimeTooOld)),
        (json!(i64::MAX), 0, Ok(())),
        (json!(null), 0, Err(IdTokenError::AuthTimeMissing)),
        (json!("1000"), 0, Err(IdTokenError::AuthTimeMissing)),
    ] {
        let claims = claims(json!({"auth_time": auth_time}));
        let checked = claims.check_max_age(300, UnixTime::from_seconds(now));
        assert_eq!(checked, expected, "{auth_time} at {now}");
    }
}

#[test]
fn a_generic_providers_token_is_for_this_client_from_this_issuer() {
    let client = ClientId::new("CID").unwrap();
    let audience = Err(IdTokenError::ForeignAudience);
    for (members, expected) in [
        (json!({"iss": "https://op", "aud": "CID", "sub": "S"}), Ok(())),
        (json!({"iss": "https://op", "aud": ["CID"], "sub": "S"}), Ok(())),
        (json!({"iss": "https://op", "aud": ["CID", "X"], "azp": "CID", "sub": "S"}), Ok(())),
        (json!({"iss": "https://op", "aud": ["CID", "X"], "sub": "S"}), audience.clone()),
        (json!({"iss": "https://op", "aud": "CID", "azp": "X", "sub": "S"}), audience.clone()),
        (json!({"iss": "https://op", "aud": "X", "azp": "CID", "sub": "S"}), audience.clone()),
        (json!({"iss": "https://op", "sub": "S"}), audience),
        (json!({"iss": "https://op/", "aud": "CID", "sub": "S"}), Err(IdTokenError::ForeignIssuer)),
        (json!({"aud": "CID", "sub": "S"}), Err(IdTokenError::ForeignIssuer)),
        (json!({"iss": "https://op", "aud": "CID"}), Err(IdTokenError::SubjectMissing)),
    ] {
        let checked = claims(members.clone()).check_issuer_and_audience("https://op", &client);
        assert_eq!(checked, expected, "{members}");
    }
}
