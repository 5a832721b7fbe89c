//! The authorization endpoint: prompts, sessions, consent, response modes and pages.

use super::http::{
    ALICE, Answer, CLIENT, Fields, REDIRECT, authorize, authorize_url, form, get, send, start,
};
use crate::entra::{
    Browser, Client, ControlError, EntraEmulator, NewUser, Person, Redirect, ResponseMode, Scenario,
};

const BOB: &str = "bob@contoso.com";

fn try_authorize(
    emulator: &EntraEmulator,
    browser: &Browser,
    changes: Fields<'_>,
) -> Result<Redirect, ControlError> {
    emulator.control().authorize(
        &authorize_url(emulator, "common", changes),
        ALICE,
        Person::Agrees,
        browser,
    )
}

/// `code`, or the error of the answer.
fn outcome(redirect: &Redirect) -> &str {
    redirect.param("error").unwrap_or(redirect.params[0].0.as_str())
}

#[tokio::test]
async fn prompt_none_needs_exactly_one_fitting_session() {
    let emulator = start(|_| {}).await;
    let browser = Browser::default();
    let silent = |changes: Fields<'_>| {
        let changes: Vec<(&str, &str)> =
            [("prompt", "none")].iter().chain(changes).copied().collect();
        try_authorize(&emulator, &browser, &changes)
            .map(|redirect| outcome(&redirect).to_owned())
            .expect("a redirect")
    };
    assert_eq!(silent(&[]), "login_required");
    try_authorize(&emulator, &browser, &[]).expect("alice signs in");
    assert_eq!(silent(&[]), "code");
    assert_eq!(silent(&[("login_hint", "Alice@contoso.com")]), "code");
    assert_eq!(silent(&[("login_hint", BOB)]), "login_required");
    let url = authorize_url(&emulator, "common", &[("prompt", "login")]);
    emulator.control().authorize(&url, BOB, Person::Agrees, &browser).expect("bob signs in too");
    assert_eq!(silent(&[]), "interaction_required");
    assert_eq!(silent(&[("login_hint", BOB)]), "code");
    emulator.control().advance_clock(100);
    assert_eq!(silent(&[("login_hint", BOB), ("max_age", "99")]), "login_required");
    emulator.control().set_user_scenario(BOB, Some(Scenario::InteractionRequired));
    assert_eq!(silent(&[("login_hint", BOB)]), "interaction_required");
    emulator.control().revoke_user(BOB);
    assert_eq!(silent(&[("login_hint", BOB)]), "login_required");
}

#[tokio::test]
async fn consent_is_asked_once_and_can_be_declined() {
    let emulator = start(|options| options.settings.ask_consent = true).await;
    let browser = Browser::default();
    let url = authorize_url(&emulator, "common", &[]);
    let declined = emulator
        .control()
        .authorize(&url, ALICE, Person::DeclinesConsent, &browser)
        .expect("a redirect");
    assert_eq!(outcome(&declined), "access_denied");
    let silent = |changes| {
        outcome(&try_authorize(&emulator, &browser, changes).expect("a redirect")).to_owned()
    };
    assert_eq!(silent(&[("prompt", "none")]), "consent_required");
    assert_eq!(silent(&[]), "code");
    assert_eq!(silent(&[("prompt", "none")]), "code");
    assert_eq!(silent(&[("prompt", "none"), ("scope", "Mail.Read")]), "consent_required");
    let url = authorize_url(&emulator, "common", &[("prompt", "login")]);
    let cancelled =
        emulator.control().authorize(&url, ALICE, Person::Cancels, &browser).expect("a redirect");
    assert_eq!(
        (outcome(&cancelled), cancelled.param("state")),
        ("access_denied", Some("the-state"))
    );
}

#[tokio::test]
async fn an_answer_travels_in_the_mode_that_was_asked() {
    let emulator = start(|_| {}).await;
    for (mode, expected) in [
        ("query", ResponseMode::Query),
        ("fragment", ResponseMode::Fragment),
        ("form_post", ResponseMode::FormPost),
    ] {
        let redirect =
            authorize(&emulator, ALICE, &[("response_mode", mode), ("state", "a b&c=\"<")]);
        assert_eq!(redirect.response_mode, expected);
        assert_eq!(redirect.redirect_uri, REDIRECT);
        let prefix = match mode {
            "query" => "http://localhost:4321/?code=1.A",
            "fragment" => "http://localhost:4321/#code=1.A",
            _ => "http://localhost:4321/",
        };
        assert!(redirect.url().starts_with(prefix), "{}", redirect.url());
        assert!(
            redirect.form_body().ends_with("state=a+b%26c%3D%22%3C"),
            "{}",
            redirect.form_body()
        );
    }
}

#[tokio::test]
async fn iss_is_sent_only_when_switched_on() {
    for on in [false, true] {
        let emulator = start(|options| options.settings.authorization_response_iss = on).await;
        let redirect = authorize(&emulator, ALICE, &[]);
        let document = get(&emulator, "/common/v2.0/.well-known/openid-configuration").await.json();
        assert_eq!(redirect.param("iss").is_some(), on);
        assert_eq!(document["authorization_response_iss_parameter_supported"].is_boolean(), on);
    }
}

#[tokio::test]
async fn a_bad_request_goes_back_to_the_client_when_its_address_is_good() {
    let emulator = start(|_| {}).await;
    for (changes, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("scope", ""), "invalid_request"),
        (("prompt", "dance"), "invalid_request"),
        (("claims", "[]"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
    ] {
        let redirect =
            try_authorize(&emulator, &Browser::default(), &[changes]).expect("a redirect");
        assert_eq!(
            (outcome(&redirect), redirect.param("state")),
            (error, Some("the-state")),
            "{changes:?}"
        );
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_trusted_is_never_redirected_to() {
    let registered = Client {
        id: CLIENT.into(),
        redirect_uris: vec!["https://app.example/back".into()],
        ..Client::default()
    };
    let emulator = start(|options| options.clients = vec![registered]).await;
    for (redirect_uri, allowed) in [
        ("http://localhost", true),
        ("http://localhost:1/any/path", true),
        ("http://127.0.0.1:65535", true),
        ("http://[::1]:8080/", true),
        ("https://app.example/back", true),
        ("https://app.example/back/", false),
        ("https://localhost:1", false),
        ("http://localhost.evil.example", false),
        ("http://evil@localhost:1", false),
        ("http://localhost:1/#fragment", false),
        ("javascript:alert(1)", false),
        ("", false),
    ] {
        let result =
            try_authorize(&emulator, &Browser::default(), &[("redirect_uri", redirect_uri)]);
        assert_eq!(result.is_ok(), allowed, "{redirect_uri}: {result:?}");
    }
    for change in [("client_id", ""), ("response_mode", "pigeon")] {
        assert!(try_authorize(&emulator, &Browser::default(), &[change]).is_err(), "{change:?}");
    }
    let page = get(
        &emulator,
        "/common/oauth2/v2.0/authorize?client_id=x&redirect_uri=https://evil.example",
    )
    .await;
    assert_eq!((page.status, page.header("location")), (400, ""));
    assert!(page.body.contains("AADSTS50011"));
}

/// The path and query of a URL on the emulator.
fn path_of(url: &str) -> &str {
    url.splitn(4, '/').nth(3).map_or("/", |rest| &url[url.len() - rest.len() - 1..])
}

fn hidden_ticket(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"ticket\" value=\"").expect("a ticket");
    rest.split('"').next().expect("a value").to_owned()
}

#[tokio::test]
async fn a_person_signs_in_and_is_remembered_by_a_cookie() {
    let emulator = start(|options| options.settings.ask_consent = true).await;
    let url = authorize_url(&emulator, "common", &[("response_mode", "form_post")]);
    let page = get(&emulator, path_of(&url)).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(page.body.contains("Pick an account") && page.body.contains(ALICE));

    let ticket = hidden_ticket(&page);
    let wrong =
        send(&emulator, form(path_of(&url), &[("ticket", &ticket), ("username", "<b>nobody</b>")]))
            .await;
    assert!(wrong.body.contains("We don&#39;t know this user name"));
    assert!(wrong.body.contains("value=\"&lt;b&gt;nobody&lt;/b&gt;\""));

    let consent =
        send(&emulator, form(path_of(&url), &[("ticket", &ticket), ("username", ALICE)])).await;
    assert!(
        consent.body.contains("Permissions requested")
            && consent.body.contains("Read your profile")
    );
    let cookie = consent.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert!(consent.header("set-cookie").contains("HttpOnly"));

    let ticket = hidden_ticket(&consent);
    let done =
        send(&emulator, form(path_of(&url), &[("ticket", &ticket), ("action", "accept")])).await;
    assert!(
        done.body.contains("action=\"http://localhost:4321\"")
            && done.body.contains("name=\"code\"")
    );
    let stale =
        send(&emulator, form(path_of(&url), &[("ticket", &ticket), ("action", "accept")])).await;
    assert_eq!(stale.status, 400);

    let silent_url = authorize_url(&emulator, "common", &[]);
    let mut again = http::Request::get(path_of(&silent_url))
        .header("host", "localhost")
        .body(String::new())
        .expect("a request");
    again.headers_mut().insert("cookie", cookie.parse().expect("a header"));
    let redirect = send(&emulator, again.clone()).await;
    assert_eq!(redirect.status, 302);
    assert!(redirect.header("location").starts_with("http://localhost:4321/?code="));

    let mut logout = http::Request::get(
        "/common/oauth2/v2.0/logout?post_logout_redirect_uri=http://localhost:1/bye",
    );
    logout = logout.header("host", "localhost").header("cookie", cookie);
    let signed_out = send(&emulator, logout.body(String::new()).expect("a request")).await;
    assert_eq!((signed_out.status, signed_out.header("location")), (302, "http://localhost:1/bye"));
    assert_eq!(send(&emulator, again).await.status, 200, "the sign-in page again");
}

#[tokio::test]
async fn a_tenant_turns_away_whom_it_does_not_know() {
    let emulator = start(|options| options.users.push(NewUser::named("zoe@outlook.com"))).await;
    for (tenant, user, admitted) in [
        ("common", "zoe@outlook.com", true),
        ("consumers", "zoe@outlook.com", true),
        ("organizations", "zoe@outlook.com", false),
        ("contoso.com", ALICE, true),
        ("fabrikam.com", ALICE, false),
        ("consumers", ALICE, false),
    ] {
        let url = authorize_url(&emulator, tenant, &[]);
        let result = emulator.control().authorize(&url, user, Person::Agrees, &Browser::default());
        assert_eq!(result.is_ok(), admitted, "{user} at {tenant}: {result:?}");
    }
}
