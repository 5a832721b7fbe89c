//! The three rules: what is repeated, to whom, and for how long.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderMap;
use url::Url;
use valetkey_oauth::Body;
use zeroize::Zeroizing;

use super::rules::{MAX_BODY, USER_MEMBERS};
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(784_111_777);

type Fields<'a> = &'a [(&'static str, &'a str)];

const REFRESH: Fields<'_> = &[
    ("client_id", "editor"),
    ("grant_type", "refresh_token"),
    ("refresh_token", "rt"),
    ("scope", "a"),
];

fn post(fields: Fields<'_>) -> HttpRequest {
    let url = Url::parse("https://op.example/token").unwrap();
    let field = |(name, value): &(&'static str, &str)| {
        (Cow::Borrowed(*name), Zeroizing::new((*value).to_owned()))
    };
    HttpRequest::post(url, HeaderMap::new(), fields.iter().map(field).collect())
}

/// The same request with one field changed.
fn changed(name: &str, value: &'static str) -> HttpRequest {
    let mut fields = REFRESH.to_vec();
    fields.iter_mut().find(|(known, _)| *known == name).unwrap().1 = value;
    post(&fields)
}

fn get(url: &str) -> HttpRequest {
    HttpRequest::get(Url::parse(url).unwrap())
}

/// A GET whose success is a token.
fn get_token(url: &str) -> HttpRequest {
    HttpRequest { asks_for_token: true, ..get(url) }
}

/// A message to a federated domain; no two have the same text.
fn message(text: &str, user: &str) -> HttpRequest {
    let body = Body::Text {
        content_type: "application/soap+xml",
        text: Zeroizing::new(text.to_owned()),
        user: user.to_owned(),
    };
    HttpRequest { body, ..post(&[]) }
}

fn answer(status: u16, retry_after: Option<&str>) -> HttpResponse {
    let mut headers = HeaderMap::new();
    if let Some(text) = retry_after {
        headers.insert(RETRY_AFTER, text.parse().unwrap());
    }
    HttpResponse { status, headers, body: Bytes::from(format!("answer {status}")) }
}

/// For how many seconds `answer` to `request` is repeated to `other`, as it says itself and as it is.
fn check(request: &HttpRequest, answer: &HttpResponse, other: &HttpRequest, seconds: Option<i64>) {
    let mut cache = HttpCache::default();
    cache.keep(None, request, answer, NOW);
    let found = cache.find(None, other, NOW);
    let label = format!("{answer:?} to {request:?}");
    assert_eq!(found.as_ref().map(|it| it.seconds_left), seconds, "{label}");
    let (Some(found), Some(seconds)) = (found, seconds) else { return };
    assert_eq!(found.answer.body, answer.body, "{label}");
    let last = cache.find(None, other, NOW.plus_seconds(seconds - 1));
    assert_eq!(last.map(|it| it.seconds_left), Some(1), "{label}");
    assert!(cache.find(None, other, NOW.plus_seconds(seconds)).is_none(), "{label}");
}

#[test]
fn each_kind_of_answer_has_its_time() {
    let in_ten_minutes = UNIX_EPOCH + Duration::from_secs(784_111_777 + 600);
    let date = httpdate::fmt_http_date(in_ten_minutes);
    for (status, retry_after, seconds) in [
        // Throttling.
        (429, None, Some(60)),
        (503, None, Some(60)),
        (500, None, Some(60)),
        (429, Some("7"), Some(7)),
        (503, Some("7"), Some(7)),
        (400, Some("7"), Some(7)),
        (403, Some("7"), Some(7)),
        (429, Some("7200"), Some(3600)),
        (429, Some(date.as_str()), Some(600)),
        (429, Some("soon"), Some(60)),
        (429, Some("0"), None),
        (400, Some("0"), None),
        // Refusals.
        (400, None, Some(60)),
        (401, None, None),
        (403, None, None),
        (404, None, None),
        // Tokens are never kept here.
        (200, None, None),
        (200, Some("7"), None),
        (201, Some("7"), None),
    ] {
        check(&post(REFRESH), &answer(status, retry_after), &post(REFRESH), seconds);
    }
}

#[test]
fn a_get_is_kept_for_a_day_when_it_went_well() {
    let url = "https://op.example/.well-known/openid-configuration";
    for (status, seconds) in
        [(200, Some(86400)), (204, Some(86400)), (301, None), (404, None), (429, None), (503, None)]
    {
        check(&get(url), &answer(status, Some("7")), &get(url), seconds);
    }
    let other = get("https://op.example/.well-known/openid-configuration?x=1");
    check(&get(url), &answer(200, None), &other, None);
}

#[test]
fn throttling_holds_for_the_same_user_client_and_scopes() {
    let throttled = answer(429, Some("7"));
    for (other, seconds) in [
        (post(REFRESH), Some(7)),
        (changed("grant_type", "other"), Some(7)),
        (changed("scope", "b"), None),
        (changed("client_id", "reader"), None),
        (changed("refresh_token", "rt2"), None),
    ] {
        check(&post(REFRESH), &throttled, &other, seconds);
    }
    let mut elsewhere = post(REFRESH);
    elsewhere.url.set_path("/other/token");
    check(&post(REFRESH), &throttled, &elsewhere, None);
}

#[test]
fn one_users_throttling_is_not_repeated_to_another() {
    let common = ("client_id", "editor");
    for name in USER_MEMBERS {
        let one = post(&[common, (name, "one")]);
        let other = post(&[common, (name, "other")]);
        check(&one, &answer(429, Some("60")), &other, None);
        check(&one, &answer(429, Some("60")), &one, Some(60));
    }
}

#[test]
fn a_refusal_is_repeated_to_the_identical_request_alone() {
    for (other, seconds) in [
        (post(REFRESH), Some(60)),
        (changed("grant_type", "other"), None),
        (changed("scope", "b"), None),
        (changed("refresh_token", "rt2"), None),
    ] {
        check(&post(REFRESH), &answer(400, None), &other, seconds);
    }
}

#[test]
fn a_device_poll_is_never_refused_from_the_cache_but_throttled_when_the_provider_says_so() {
    let poll = post(&[("client_id", "editor"), ("device_code", "d")]);
    check(&poll, &answer(400, None), &poll, None);
    check(&poll, &answer(429, Some("7")), &poll, Some(7));
    check(&poll, &answer(503, None), &poll, None);
}

#[test]
fn a_federated_domain_that_refuses_one_message_is_asked_again_with_the_next() {
    let (ann, again, bob) = (message("1", "ann"), message("2", "ann"), message("3", "bob"));
    for (status, retry_after, seconds) in [
        (200, None, None),
        (200, Some("7"), None),
        (400, None, None),
        (500, None, None),
        (500, Some("7"), Some(7)),
        (503, None, Some(60)),
        (429, None, Some(60)),
    ] {
        check(&ann, &answer(status, retry_after), &again, seconds);
        check(&ann, &answer(status, retry_after), &bob, None);
    }
}

#[test]
fn a_token_that_comes_by_get_is_never_kept() {
    let url = "http://169.254.169.254/token?resource=a";
    for (status, retry_after, seconds) in [
        (200, None, None),
        (200, Some("7"), None),
        (400, None, None),
        (404, None, None),
        (429, None, None),
        (503, None, None),
        (429, Some("7"), Some(7)),
        (503, Some("7"), Some(7)),
    ] {
        check(&get_token(url), &answer(status, retry_after), &get_token(url), seconds);
        let other = get_token("http://169.254.169.254/token?resource=b");
        check(&get_token(url), &answer(status, retry_after), &other, None);
    }
}

#[test]
fn two_requests_never_run_together_into_one() {
    let one = post(&[("client_id", "ab"), ("scope", "c")]);
    let other = post(&[("client_id", "a"), ("scope", "bc")]);
    check(&one, &answer(429, None), &other, None);
    check(&one, &answer(400, None), &other, None);
}

#[test]
fn a_clock_that_was_set_back_freezes_nobody_out() {
    let mut cache = HttpCache::default();
    cache.keep(None, &post(REFRESH), &answer(429, Some("3600")), NOW);
    assert!(cache.find(None, &post(REFRESH), NOW.plus_seconds(-1)).is_none());
    assert!(cache.find(None, &post(REFRESH), NOW).is_none(), "it is gone for good");
    assert!(cache.answers.is_empty() && cache.by_expiry.is_empty());
}

#[test]
fn a_repeated_answer_counts_its_retry_after_from_then() {
    let mut cache = HttpCache::default();
    cache.keep(None, &post(REFRESH), &answer(429, Some("60")), NOW);
    let repeated = cache.find(None, &post(REFRESH), NOW.plus_seconds(45)).unwrap().into_answer();
    assert_eq!((repeated.status, &repeated.headers[RETRY_AFTER]), (429, &"15".parse().unwrap()));
    cache.keep(None, &changed("scope", "b"), &answer(503, None), NOW);
    let repeated = cache.find(None, &changed("scope", "b"), NOW).unwrap().into_answer();
    assert!(repeated.headers.is_empty(), "what was not said is not made up");
}

#[test]
fn the_soonest_to_expire_goes_first() {
    let mut cache = HttpCache::default();
    let url = |number: usize| get(&format!("https://op.example/{number}"));
    cache.keep(None, &post(REFRESH), &answer(429, Some("3000")), NOW);
    cache.keep(None, &changed("scope", "b"), &answer(429, Some("7")), NOW);
    for number in 2..CAPACITY {
        cache.keep(None, &url(number), &answer(200, None), NOW);
    }
    assert_eq!(cache.answers.len(), CAPACITY);
    let mut keep_one_more = |number, expected: [bool; 2]| {
        cache.keep(None, &url(number), &answer(200, None), NOW);
        let kept =
            [changed("scope", "b"), post(REFRESH)].map(|it| cache.find(None, &it, NOW).is_some());
        assert_eq!((kept, cache.answers.len()), (expected, CAPACITY));
        assert_eq!(cache.by_expiry.len(), CAPACITY);
    };
    keep_one_more(CAPACITY, [false, true]);
    keep_one_more(CAPACITY + 1, [false, false]);
    // An answer that is kept again takes no second place.
    keep_one_more(CAPACITY + 1, [false, false]);
    assert!(cache.find(None, &url(2), NOW).is_some());
    assert!(cache.find(None, &url(CAPACITY), NOW).is_some());
}

#[test]
fn expired_answers_make_room() {
    let mut cache = HttpCache::default();
    cache.keep(None, &post(REFRESH), &answer(429, Some("7")), NOW);
    cache.keep(None, &changed("scope", "b"), &answer(400, None), NOW.plus_seconds(7));
    assert_eq!((cache.answers.len(), cache.by_expiry.len()), (1, 1));
}

#[test]
fn answers_are_bounded_in_size_too() {
    let mut cache = HttpCache::default();
    let url = |number: usize| get(&format!("https://op.example/{number}"));
    let large = HttpResponse { body: Bytes::from(vec![b'x'; MAX_BODY]), ..answer(200, None) };
    let room = MAX_BODIES / MAX_BODY;
    for number in 0..room {
        assert_eq!(cache.keep(None, &url(number), &large, NOW).len(), 1);
    }
    // One more, in the place of the oldest; what is on the disk goes with it.
    let changes = cache.keep(None, &url(room), &large, NOW);
    assert!(matches!(changes[..], [Change::Remove(_), Change::Put(_)]), "{changes:?}");
    assert_eq!((cache.answers.len(), cache.body_bytes), (room, MAX_BODIES));
    assert!(cache.find(None, &url(0), NOW).is_none());
    assert!(cache.find(None, &url(1), NOW).is_some());
    for number in 1..=room {
        cache.forget(None, &url(number));
    }
    assert_eq!((cache.answers.len(), cache.by_expiry.len(), cache.body_bytes), (0, 0, 0));
}

#[test]
fn a_large_answer_is_kept_as_its_status_or_not_at_all() {
    let large = |status, retry_after| HttpResponse {
        body: Bytes::from(vec![b'x'; MAX_BODY + 1]),
        ..answer(status, retry_after)
    };
    let kept = |request: &HttpRequest, answer: &HttpResponse| {
        let mut cache = HttpCache::default();
        cache.keep(None, request, answer, NOW);
        cache.find(None, request, NOW).map(|found| (found.answer.status, found.answer.body.len()))
    };
    let document = get("https://op.example/document");
    assert_eq!(kept(&document, &large(200, None)), None);
    assert_eq!(kept(&post(REFRESH), &large(400, None)), None);
    assert_eq!(kept(&post(REFRESH), &large(429, Some("7"))), Some((429, 0)));
    assert_eq!(kept(&post(REFRESH), &large(503, None)), Some((503, 0)));
}

#[test]
fn what_came_by_one_route_is_given_on_no_other() {
    let by = |certificate: &[u8]| {
        let certificates = BTreeSet::from([certificate.to_vec()]);
        Some(Arc::new(Route::new(None, BTreeMap::new(), certificates)))
    };
    for (request, answer) in [
        (get("https://op.example/keys"), answer(200, None)),
        (post(REFRESH), answer(400, None)),
        (post(REFRESH), answer(429, None)),
    ] {
        let routes = [None, by(b"home"), by(b"work")];
        for (own, route) in routes.iter().enumerate() {
            let mut cache = HttpCache::default();
            cache.keep(route.as_ref(), &request, &answer, NOW);
            for (other, route) in routes.iter().enumerate() {
                let is_found = cache.find(route.as_ref(), &request, NOW).is_some();
                assert_eq!(is_found, own == other, "{own} and {other}: {answer:?}");
            }
        }
    }
}
