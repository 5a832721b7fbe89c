//! Which redirects bring a code.

use super::*;

const TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
const FILLED: &str = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";

/// The outcome for parameters given as `name=value` pairs: the code, or the error.
fn parse(
    pairs: &[(&str, &str)],
    issuer: Option<&str>,
    issuer_is_required: bool,
) -> Result<String, RedirectError> {
    let parameters = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let expected = ExpectedRedirect { state: "S", issuer, issuer_is_required };
    let parsed = parse_authorization_response(&parameters.collect(), &expected);
    parsed.map(|code| code.code.expose().to_owned())
}

fn refused(error: &str, description: Option<&str>) -> RedirectError {
    let error_description = description.map(str::to_owned);
    RedirectError::Refused { error: error.to_owned(), error_description, error_uri: None }
}

#[test]
fn the_state_is_judged_before_anything_else() {
    for (pairs, expected) in [
        (&[("code", "C")][..], RedirectError::StateMissing),
        (&[("code", "C"), ("state", "")], RedirectError::StateMissing),
        (&[("error", "access_denied")], RedirectError::StateMissing),
        (&[("code", "C"), ("state", "s")], RedirectError::StateMismatch),
        (&[("code", "C"), ("state", "SS")], RedirectError::StateMismatch),
        (&[("error", "e"), ("state", "X"), ("iss", "https://evil")], RedirectError::StateMismatch),
    ] {
        assert_eq!(parse(pairs, Some("https://op"), true), Err(expected), "{pairs:?}");
    }
}

#[test]
fn the_issuer_is_the_providers_own() {
    for (iss, issuer, required, expected) in [
        ("", Some("https://op"), false, None),
        ("", Some("https://op"), true, Some(RedirectError::IssuerMissing)),
        ("https://op", Some("https://op"), true, None),
        ("https://op", Some("https://op"), false, None),
        ("https://op/", Some("https://op"), false, Some(RedirectError::ForeignIssuer)),
        ("https://evil", Some("https://op"), false, Some(RedirectError::ForeignIssuer)),
        ("https://op", None, false, Some(RedirectError::ForeignIssuer)),
        (FILLED, Some(TEMPLATE), true, None),
        (TEMPLATE, Some(TEMPLATE), true, Some(RedirectError::ForeignIssuer)),
    ] {
        let pairs = [("code", "C"), ("state", "S"), ("iss", iss)];
        let expected = expected.map_or(Ok("C".to_owned()), Err);
        assert_eq!(parse(&pairs, issuer, required), expected, "{iss:?} for {issuer:?}");
    }
}

#[test]
fn a_refusal_wins_over_a_code_and_keeps_only_what_rfc_6749_names() {
    for (pairs, expected) in [
        (&[("state", "S"), ("code", "C")][..], Ok("C".to_owned())),
        (
            &[("state", "S"), ("code", "C"), ("error", "access_denied")],
            Err(refused("access_denied", None)),
        ),
        (
            &[("state", "S"), ("error", "e"), ("error_description", "d"), ("token", "T")],
            Err(refused("e", Some("d"))),
        ),
        (&[("state", "S")], Err(RedirectError::Empty)),
        (&[("state", "S"), ("code", ""), ("error", "")], Err(RedirectError::Empty)),
    ] {
        assert_eq!(parse(pairs, None, false), expected, "{pairs:?}");
    }
}

#[test]
fn a_refusal_of_another_provider_is_not_believed() {
    let pairs = [("state", "S"), ("error", "access_denied"), ("iss", "https://evil")];
    assert_eq!(parse(&pairs, Some("https://op"), false), Err(RedirectError::ForeignIssuer));
}

#[test]
fn a_redirect_with_an_error_code_that_is_none_brings_neither() {
    for code in ["a\nb", "\u{1b}[2J", &"x".repeat(129)] {
        let pairs = [("state", "S"), ("error", code), ("code", "C")];
        assert_eq!(parse(&pairs, None, false), Err(RedirectError::BadErrorCode), "{code:?}");
    }
}
