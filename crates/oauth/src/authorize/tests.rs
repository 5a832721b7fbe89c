//! What the page that a person is sent to is told.

use super::*;
use crate::discovery::tests::metadata;

fn build(endpoint: &str, request: &AuthorizationRequest<'_>) -> String {
    let mut provider = metadata();
    provider.authorization_endpoint = Url::parse(endpoint).unwrap();
    build_authorization_url(&provider, request).into()
}

fn check(endpoint: &str, adjust: impl FnOnce(&mut AuthorizationRequest<'_>), expected: &str) {
    let others = BTreeMap::from([
        ("acr_values".to_owned(), "a b".to_owned()),
        ("state".to_owned(), "forged".to_owned()),
        ("Code_Challenge_Method".to_owned(), "plain".to_owned()),
        ("ui_locales".to_owned(), String::new()),
    ]);
    let mut request = AuthorizationRequest {
        client_id: &ClientId::new("CID").unwrap(),
        redirect_uri: Some("http://localhost:1"),
        scopes: &ScopeSet::from_target("User.Read profile"),
        state: "STATE",
        nonce: &Nonce::from_text("abc".to_owned()),
        challenge: "CHALLENGE",
        claims: None,
        response_mode: None,
        prompt: None,
        login_hint: None,
        domain_hint: None,
        max_age: None,
        dpop_jkt: None,
        others: &others,
    };
    adjust(&mut request);
    assert_eq!(build(endpoint, &request), expected);
}

const COMMON: &str = "client_id=CID&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1&\
    scope=User.Read+openid+profile&state=STATE&code_challenge=CHALLENGE&code_challenge_method=S256&\
    nonce=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad&client_info=1";

#[test]
fn openid_is_forced_in_and_no_option_takes_the_place_of_a_parameter() {
    let expected = format!("https://op/authorize?{COMMON}&acr_values=a+b");
    check("https://op/authorize", |_| {}, &expected);
}

#[test]
fn the_endpoints_own_query_stays() {
    let expected = format!("https://op/authorize?p=b2c_1_in&{COMMON}&acr_values=a+b");
    check("https://op/authorize?p=b2c_1_in", |_| {}, &expected);
}

#[test]
fn hints_are_sent_when_given() {
    let expected = format!(
        "https://op/authorize?{COMMON}&response_mode=form_post&login_hint=u%40c.com&prompt=login&\
         domain_hint=c.com&claims=%7B%7D&max_age=0&X-AnchorMailbox=UPN%3Au%40c.com&acr_values=a+b"
    );
    let adjust = |request: &mut AuthorizationRequest<'_>| {
        request.response_mode = Some("form_post");
        request.login_hint = Some("u@c.com");
        request.prompt = Some("login");
        request.domain_hint = Some("c.com");
        request.claims = Some("{}");
        request.max_age = Some(0);
    };
    check("https://op/authorize", adjust, &expected);
}
