//! What an authority is taken for, and what is refused.

use super::*;

fn parse(text: &str) -> Result<Authority, AuthorityError> {
    Authority::parse(text, AuthorityOptions::default())
}

#[test]
fn an_authority_is_classified_by_host_and_path() {
    for (text, kind, environment, tenant) in [
        (
            "https://login.microsoftonline.com/common/",
            AuthorityKind::Entra,
            "login.microsoftonline.com",
            "common",
        ),
        (
            "HTTPS://Login.MicrosoftOnline.com/T",
            AuthorityKind::Entra,
            "login.microsoftonline.com",
            "T",
        ),
        ("https://fs.contoso.com/ADFS", AuthorityKind::Adfs, "fs.contoso.com", "ADFS"),
        ("https://contoso.b2clogin.com/t/p", AuthorityKind::B2c, "contoso.b2clogin.com", "t"),
        ("https://login.contoso.com/t/B2C_1_in", AuthorityKind::B2c, "login.contoso.com", "t"),
        (
            "https://login.contoso.com/tfp/t/b2c_1_in",
            AuthorityKind::Entra,
            "login.contoso.com",
            "tfp",
        ),
        (
            "https://contoso.ciamlogin.com",
            AuthorityKind::Ciam,
            "contoso.ciamlogin.com",
            "contoso.onmicrosoft.com",
        ),
        ("https://host.net/dstsv2/tenant", AuthorityKind::Dsts, "host.net/dstsv2/tenant", "dstsv2"),
        ("http://127.0.0.1:8080/common", AuthorityKind::Entra, "127.0.0.1:8080", "common"),
    ] {
        let authority = parse(text).unwrap();
        assert_eq!(
            (authority.kind(), authority.environment(), authority.tenant().as_str()),
            (kind, environment, tenant),
            "{text}"
        );
    }
}

#[test]
fn a_host_with_the_dot_of_dnss_root_is_the_same_host() {
    for text in [
        "https://login.microsoftonline.com./common",
        "https://login.microsoftonline.com%2e/common",
        "https://LOGIN.microsoftonline.com.:443/common",
    ] {
        let authority = parse(text).unwrap();
        assert_eq!(authority.site(), "login.microsoftonline.com", "{text}");
        assert_eq!(authority.url().host_str(), Some("login.microsoftonline.com"), "{text}");
        assert_eq!(authority.as_str(), "https://login.microsoftonline.com/common", "{text}");
        assert!(authority.has_well_known_host(), "{text}");
    }
    assert_eq!(parse("http://localhost.:80/t").unwrap().site(), "localhost");
    for text in ["https://./t", "https://../t"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn slashes_at_the_end_of_a_path_name_nothing() {
    for (text, expected) in [
        ("https://op.example/t", "https://op.example/t"),
        ("https://op.example/t//", "https://op.example/t"),
        ("https://op.example/t?a=b/", "https://op.example/t?a=b/"),
    ] {
        assert_eq!(parse(text).unwrap().without_last_slash(), expected);
    }
}

#[test]
fn what_is_no_safe_url_is_refused_with_what_to_do() {
    for (text, expected) in [
        ("common", "is no URL"),
        ("http://login.contoso.com/common", "must begin with https://"),
        ("http://localhost.evil.example/common", "must begin with https://"),
        ("https://login.microsoftonline.com/", "lacks a tenant"),
        ("https://user:secret@contoso.com/t", "remove that part"),
        ("ftp://contoso.com/t", "must begin with https://"),
    ] {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn an_authority_with_characters_that_no_url_has_is_refused() {
    for text in [
        "https://login.contoso.com/te\tnant",
        "https://login.con\ntoso.com/tenant",
        "https://login.contoso.com/ten ant",
        "https:\\\\login.contoso.com\\tenant",
        "https://login.contoso.com/tenant\\..",
        "https://login.contoso.com/\u{1b}[2Jtenant",
        "https://login.contoso.com/\u{202e}tenant",
        "https://login.contoso.com/te\u{a0}nant",
        "\u{1}https://login.contoso.com/tenant",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, AuthorityError::ForbiddenCharacter { .. }), "{text:?}: {error}");
        assert!(!error.to_string().contains(steers_display), "{error}");
    }
    assert_eq!(parse(" https://a.example/t\n").unwrap().as_str(), "https://a.example/t");
}

#[test]
fn a_password_is_repeated_in_no_refusal() {
    for text in [
        "https://ada:hunter2@login.contoso.com/tenant",
        "http://ada:hunter2@login.contoso.com/tenant",
        "ftp://ada:hunter2@login.contoso.com/tenant",
        "https://ada:hunter2@login.contoso.com",
        "https://ada:hunter2@login.contoso.com/ten ant",
        "https://ada:hunter2@login.con toso.com/tenant",
    ] {
        assert_eq!(parse(text), Err(AuthorityError::HasCredentials), "{text}");
    }
}

#[test]
fn two_realms_of_one_server_are_two_environments() {
    let options = AuthorityOptions { oidc: true, ..Default::default() };
    let environment = |text| Authority::parse(text, options).unwrap().environment().to_owned();
    for (authority, expected) in [
        ("https://SSO.example.com/realms/one/", "sso.example.com/realms/one"),
        ("https://sso.example.com/realms/two", "sso.example.com/realms/two"),
        ("https://sso.example.com/realms/One", "sso.example.com/realms/%4fne"),
        ("https://sso.example.com/realms/oNe", "sso.example.com/realms/o%4ee"),
        ("https://sso.example.com/realms/%C3%A4B", "sso.example.com/realms/%c3%a4%42"),
        ("https://sso.example.com/realms/one?X=y", "sso.example.com/realms/one?%58=y"),
    ] {
        assert_eq!(environment(authority), expected, "{authority}");
    }
}

#[test]
fn an_overlong_authority_is_refused() {
    let text = |length: usize| {
        let start = "https://login.contoso.com/";
        format!("{start}{}", "a".repeat(length - start.len()))
    };
    assert!(parse(&text(MAX_AUTHORITY)).is_ok());
    assert_eq!(parse(&text(MAX_AUTHORITY + 1)), Err(AuthorityError::TooLong));
}

#[test]
fn an_authority_that_is_too_long_once_it_is_written_out_is_refused() {
    let rooted = |letters: usize| format!("https://login.contoso.com./{}", "é".repeat(letters));
    assert!(parse(&rooted(300)).is_ok());
    assert_eq!(parse(&rooted(900)), Err(AuthorityError::TooLong));
}

#[test]
fn an_oidc_issuer_may_be_a_bare_host() {
    let options = AuthorityOptions { oidc: true, ..Default::default() };
    let authority = Authority::parse("https://accounts.example.com", options).unwrap();
    assert_eq!((authority.kind(), authority.is_known_to_developer()), (AuthorityKind::Oidc, true));
}
