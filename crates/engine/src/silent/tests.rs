//! The decision tree as tables.

use valetkey_cache::{AppMetadata, Entry, KeyId};
use valetkey_model::{Authority, AuthorityOptions, ClientId, CorrelationId, ScopeSet, Secret};

use super::*;
use crate::application::{ClientApplication, Definition};
use crate::request::{AccountSelector, Extras};

const NOW: i64 = 100_000;
const HOST: &str = "login.microsoftonline.com";
const ALIAS: &str = "login.windows.net";

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn client(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

fn account(text: &str) -> AccountId {
    AccountId::new(text).unwrap()
}

/// Ada's token `at` of the client `editor` for `a b`, issued for an hour, `left` seconds before its end.
fn access_token(left: i64) -> AccessToken {
    AccessToken {
        environment: HOST.into(),
        home_account_id: Some(account("ada")),
        client_id: Some(client("editor")),
        realm: "contoso".into(),
        scopes: ScopeSet::from_target("a b"),
        extension: None,
        key_id: None,
        secret: Secret::new("at".to_owned()),
        token_type: "Bearer".into(),
        cached_at: at(NOW + left - 3600),
        expires_on: at(NOW + left),
        extended_expires_on: at(NOW + left),
        refresh_on: None,
        extra: None,
    }
}

/// Ada's refresh token of a client, granted along with the scopes `a b`.
fn refresh_token(name: &str, client_id: &str) -> RefreshToken {
    RefreshToken {
        environment: HOST.into(),
        home_account_id: Some(account("ada")),
        client_id: Some(client(client_id)),
        scopes: ScopeSet::from_target("a b"),
        secret: Secret::new(name.to_owned()),
        last_modified: at(NOW),
        family_id: None,
        key_id: None,
        extra: None,
    }
}

fn in_family(token: RefreshToken) -> RefreshToken {
    RefreshToken { family_id: Some("1".into()), ..token }
}

fn metadata(family_id: Option<&str>) -> Entry {
    Entry::AppMetadata(Arc::new(AppMetadata {
        environment: HOST.into(),
        client_id: Some(client("editor")),
        family_id: family_id.map(Arc::from),
        extra: None,
    }))
}

/// What `editor` asks for on Ada's behalf: the scope `a`.
fn request() -> SilentRequest {
    let authority = format!("https://{HOST}/contoso");
    let authority = Authority::parse(&authority, AuthorityOptions::default()).unwrap();
    let definition = Definition::new(client("editor"), authority);
    SilentRequest {
        app: Arc::new(ClientApplication::open(definition)),
        scopes: ScopeSet::from_target("a"),
        account: AccountSelector::Only,
        force_refresh: false,
        claims_challenge: None,
        min_validity: 0,
        client_assertion: None,
        extras: Extras::default(),
        bound: None,
        correlation_id: CorrelationId::from_random([0; 16]),
    }
}

/// `expected` reads `fresh at`, `aging at, then rt`, `refresh (reason): rt rt?` with a mark on a guess, or `sign in`.
fn check(request: &SilentRequest, cached: Vec<Entry>, expected: &str) {
    let cache = TokenCache::from_entries(cached);
    let decision = decide(&cache, request, "contoso", &account("ada"), at(NOW));
    let names = |plan: &RefreshPlan| {
        let mark = |it: &Candidate| if it.is_guess { "?" } else { "" };
        let name = |it: &Candidate| format!("{}{}", it.token.secret.expose(), mark(it));
        plan.candidates.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let told = match &decision {
        Decision::Fresh(token) => format!("fresh {}", token.secret.expose()),
        Decision::Aging(token, plan) => {
            assert_eq!(plan.reason, CacheReason::Aging);
            format!("aging {}, then {}", token.secret.expose(), names(plan))
        }
        Decision::Refresh(plan) => format!("refresh ({:?}): {}", plan.reason, names(plan)),
        Decision::SignIn(reason) => {
            assert_eq!(*reason, SignInReason::NoRefreshToken);
            "sign in".to_owned()
        }
        Decision::AskCloudShell => "ask the shell".to_owned(),
    };
    assert_eq!(told, expected);
}

/// With this access token and one refresh token in the cache.
fn check_token(request: &SilentRequest, token: AccessToken, expected: &str) {
    let refresh_token = Entry::RefreshToken(Arc::new(refresh_token("rt", "editor")));
    check(request, vec![Entry::AccessToken(Arc::new(token)), refresh_token], expected);
}

/// Without an access token, and with these refresh tokens.
fn check_candidates(about_app: Option<Entry>, tokens: Vec<RefreshToken>, expected: &str) {
    let tokens = tokens.into_iter().map(|token| Entry::RefreshToken(Arc::new(token)));
    check(&request(), about_app.into_iter().chain(tokens).collect(), expected);
}

#[test]
fn a_token_is_fresh_then_aging_then_expired() {
    for (left, expected) in [
        (3600, "fresh at"),
        (600, "fresh at"),
        (599, "aging at, then rt"),
        (300, "aging at, then rt"),
        (299, "refresh (Expired): rt"),
        (0, "refresh (Expired): rt"),
        (-5000, "refresh (Expired): rt"),
    ] {
        check_token(&request(), access_token(left), expected);
    }
}

#[test]
fn the_provider_says_when_a_token_ages() {
    for (refresh_on, left, expected) in [
        (NOW + 1, 3600, "fresh at"),
        (NOW, 3600, "aging at, then rt"),
        // Its word counts, and not the last sixth.
        (NOW + 1, 400, "fresh at"),
        (NOW, 299, "refresh (Expired): rt"),
    ] {
        let token = AccessToken { refresh_on: Some(at(refresh_on)), ..access_token(left) };
        check_token(&request(), token, expected);
    }
}

#[test]
fn an_aging_token_without_a_refresh_token_is_good_enough() {
    check(&request(), vec![Entry::AccessToken(Arc::new(access_token(301)))], "fresh at");
    check(&request(), vec![Entry::AccessToken(Arc::new(access_token(299)))], "sign in");
    check(&request(), Vec::new(), "sign in");
}

#[test]
fn a_request_may_want_more_than_the_cache_has() {
    let forced = "refresh (ForceRefresh): rt";
    for (changed, left, expected) in [
        (SilentRequest { force_refresh: true, ..request() }, 3600, forced),
        (SilentRequest { claims_challenge: Some("{}".to_owned()), ..request() }, 3600, forced),
        (SilentRequest { min_validity: 1000, ..request() }, 1000, "fresh at"),
        (SilentRequest { min_validity: 1000, ..request() }, 999, "refresh (Expired): rt"),
        (SilentRequest { min_validity: 10, ..request() }, 299, "refresh (Expired): rt"),
        (SilentRequest { min_validity: u32::MAX, ..request() }, 3600, "refresh (Expired): rt"),
        (SilentRequest { scopes: ScopeSet::from_target("a b"), ..request() }, 3600, "fresh at"),
        (
            SilentRequest { scopes: ScopeSet::from_target("a c"), ..request() },
            3600,
            "refresh (NoToken): rt",
        ),
        (
            SilentRequest { scopes: ScopeSet::from_target("A"), ..request() },
            3600,
            "refresh (NoToken): rt",
        ),
    ] {
        check_token(&changed, access_token(left), expected);
    }
}

#[test]
fn a_token_of_anything_else_is_never_the_answer() {
    let good = || access_token(3600);
    for token in [
        AccessToken { client_id: Some(client("reader")), ..good() },
        AccessToken { client_id: None, ..good() },
        AccessToken { home_account_id: Some(account("bob")), ..good() },
        AccessToken { home_account_id: None, ..good() },
        AccessToken { realm: "fabrikam".into(), ..good() },
        AccessToken { environment: "login.chinacloudapi.cn".into(), ..good() },
        AccessToken { key_id: Some(KeyId::Foreign("key".into())), ..good() },
        AccessToken { extension: Some("digest".into()), ..good() },
    ] {
        check_token(&request(), token, "refresh (NoToken): rt");
    }
    let same = AccessToken { client_id: Some(client("EDITOR")), ..good() };
    check_token(&request(), same, "fresh at");
}

#[test]
fn a_token_that_came_through_another_name_of_the_provider_is_as_good() {
    let of_alias = |left| AccessToken { environment: ALIAS.into(), ..access_token(left) };
    for (left, expected) in
        [(3600, "fresh at"), (301, "aging at, then rt"), (299, "refresh (Expired): rt")]
    {
        check_token(&request(), of_alias(left), expected);
    }
    let own = AccessToken { secret: Secret::new("own".to_owned()), ..access_token(3600) };
    let both = [of_alias(3600), own].map(|token| Entry::AccessToken(Arc::new(token)));
    check(&request(), both.into(), "fresh own");
}

#[test]
fn a_client_of_unknown_family_guesses_first() {
    let kin = || in_family(refresh_token("kin", "reader"));
    let own = || refresh_token("own", "editor");
    check_candidates(None, vec![own(), kin()], "refresh (NoToken): kin? own");
    check_candidates(None, vec![in_family(own()), kin()], "refresh (NoToken): kin? own");
    let of_another_family = RefreshToken { family_id: Some("2".into()), ..kin() };
    check_candidates(None, vec![of_another_family], "sign in");
}

#[test]
fn a_member_tries_its_family_then_its_own_tokens() {
    let kin = |name, age| {
        let token = in_family(refresh_token(name, name));
        RefreshToken { last_modified: at(NOW - age), ..token }
    };
    let tokens = vec![refresh_token("own", "editor"), kin("old", 20), kin("new", 10)];
    check_candidates(metadata(Some("1")).into(), tokens, "refresh (NoToken): new old own");
}

#[test]
fn a_client_that_is_in_no_family_uses_its_own_tokens_only() {
    let tokens = || vec![in_family(refresh_token("kin", "reader")), refresh_token("own", "editor")];
    check_candidates(metadata(None).into(), tokens(), "refresh (NoToken): own");
    check_candidates(metadata(Some("2")).into(), tokens(), "refresh (NoToken): own");
}

#[test]
fn the_refresh_token_that_was_granted_these_scopes_goes_first() {
    let token = |name, scopes, age| RefreshToken {
        scopes: ScopeSet::from_target(scopes),
        last_modified: at(NOW - age),
        ..refresh_token(name, "editor")
    };
    let tokens = vec![token("other", "x", 0), token("older", "a y", 20), token("fits", "a z", 10)];
    check_candidates(metadata(None).into(), tokens, "refresh (NoToken): fits older other");
}

#[test]
fn the_own_host_goes_before_its_aliases() {
    let on = |name, host: &str| RefreshToken {
        environment: host.into(),
        ..refresh_token(name, "editor")
    };
    let tokens =
        || vec![on("alias", ALIAS), on("own", HOST), on("china", "login.chinacloudapi.cn")];
    check_candidates(metadata(None).into(), tokens(), "refresh (NoToken): own alias");
    // An unknown client guesses on every host before it goes to the next one.
    let kin = in_family(RefreshToken { client_id: Some(client("reader")), ..on("kin", ALIAS) });
    let tokens = tokens().into_iter().chain([kin]).collect();
    check_candidates(None, tokens, "refresh (NoToken): own kin? alias");
}

#[test]
fn a_refresh_token_of_anybody_else_is_never_tried() {
    let own = || refresh_token("rt", "editor");
    for token in [
        RefreshToken { client_id: Some(client("reader")), ..own() },
        RefreshToken { client_id: None, ..own() },
        RefreshToken { home_account_id: Some(account("bob")), ..own() },
        RefreshToken { home_account_id: None, ..own() },
        RefreshToken { environment: "evil.example".into(), ..own() },
    ] {
        check_candidates(None, vec![token], "sign in");
    }
}

#[test]
fn what_rotates_together_has_one_redemption_key() {
    let key = |token: RefreshToken| {
        Candidate { token: Arc::new(token), is_guess: false }.redemption_key()
    };
    let own = || refresh_token("own", "editor");
    let scopes = ScopeSet::from_target("x");
    for (other, is_one) in [
        (RefreshToken { scopes, ..own() }, true),
        (RefreshToken { client_id: Some(client("EDITOR")), ..own() }, true),
        (refresh_token("other", "reader"), false),
        (RefreshToken { home_account_id: Some(account("bob")), ..own() }, false),
        (RefreshToken { environment: ALIAS.into(), ..own() }, false),
        (in_family(own()), false),
    ] {
        assert_eq!(key(own()) == key(other.clone()), is_one, "{other:?}");
    }
    assert_eq!(key(in_family(own())), key(in_family(refresh_token("other", "reader"))));
}
