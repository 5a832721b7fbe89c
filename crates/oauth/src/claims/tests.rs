//! Capabilities and challenges merged, to the letter.

use super::*;

#[test]
fn a_challenge_that_is_no_object_is_refused_even_when_nothing_is_merged() {
    for challenge in ["[]", "7", "null", "{", "{\"a\":}", "{} {}", "{\"a\":\"\\ud800\"}"] {
        for capabilities in [&[][..], &["CP1"]] {
            let merged = merge_claims(capabilities, Some(challenge));
            assert_eq!(merged, Err(ClaimsError::NotAnObject), "{challenge}");
        }
        assert_eq!(overlay_claims(Some("{}"), Some(challenge)), Err(ClaimsError::NotAnObject));
    }
}

#[test]
fn capabilities_need_an_access_token_object() {
    let merged = merge_claims(&["CP1"], Some("{\"access_token\":null}"));
    let expected = "{\"access_token\": {\"xms_cc\": {\"values\": [\"CP1\"]}}}";
    assert_eq!(merged, Ok(Some(expected.to_owned())));
    for challenge in ["{\"access_token\":1}", "{\"access_token\":[]}"] {
        let merged = merge_claims(&["CP1"], Some(challenge));
        assert_eq!(merged, Err(ClaimsError::AccessTokenNotAnObject), "{challenge}");
    }
}

#[test]
fn text_is_written_as_python_does() {
    for (challenge, expected) in [
        (r#"{"k":"\u00e9\ud83d\ude00"}"#, r#"{"k": "\u00e9\ud83d\ude00"}"#),
        (r#"{"k":"é😀"}"#, r#"{"k": "\u00e9\ud83d\ude00"}"#),
        (r#"{"k":"\"\\\/\b\f\n\r\t\u0001\u007f"}"#, r#"{"k": "\"\\/\b\f\n\r\t\u0001\u007f"}"#),
        (
            r#"{"k":[1,-2,1.5,1.0,true,false,null,[],{}]}"#,
            r#"{"k": [1, -2, 1.5, 1.0, true, false, null, [], {}]}"#,
        ),
        (r#"{"z":1,"a":2,"z":3}"#, r#"{"z": 3, "a": 2}"#),
    ] {
        let written = Json::parse_object(challenge).unwrap().to_string();
        assert_eq!(written, expected, "{challenge}");
    }
}
