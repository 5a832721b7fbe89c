//! Look-up and merge at 10, 1,000 and 100,000 access tokens: each line should be flat.
//!
//! `spread` has one token for each user, `one bucket` all tokens at one client of one tenant.

use std::hint::black_box;
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use valetkey_cache::{
    AccessToken, AccessTokenQuery, Account, Entry, EntryDecoder, IdClaims, RefreshToken,
    TokenCache, TokenEvent,
};
use valetkey_model::{AccountId, ClientId, ScopeSet, Secret, UnixTime};

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const HOST: &str = "login.microsoftonline.com";
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const NOW: UnixTime = UnixTime::from_seconds(2000);

criterion_group!(benches, spread, one_bucket, start);
criterion_main!(benches);

fn spread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spread");
    for size in SIZES {
        let mut cache = TokenCache::from_entries((0..size).flat_map(user));
        let middle = size / 2;
        let owner = home(middle);
        let (exact, superset, miss) = (granted(), scopes("User.Read"), scopes("Mail.Read"));
        find(&mut group, "hit, exact scopes", size, &cache, Some(&owner), &exact);
        find(&mut group, "hit, fewer scopes", size, &cache, Some(&owner), &superset);
        find(&mut group, "miss, scopes", size, &cache, Some(&owner), &miss);
        find(&mut group, "miss, account", size, &cache, Some(&home(size)), &exact);
        merge(&mut group, size, &mut cache, Some(&owner), &exact);
    }
}

fn one_bucket(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one bucket");
    for size in SIZES {
        let token = |number| AccessToken {
            home_account_id: None,
            scopes: scopes(&format!("common resource{number} openid")),
            ..access_token(number)
        };
        let mut cache = TokenCache::from_entries((0..size).map(token).map(entry));
        let resource = format!("resource{}", size / 2);
        let exact = scopes(&format!("common {resource} openid"));
        find(&mut group, "hit, exact scopes", size, &cache, None, &exact);
        find(
            &mut group,
            "hit, fewer scopes",
            size,
            &cache,
            None,
            &scopes(&format!("openid {resource}")),
        );
        find(&mut group, "hit, common scope", size, &cache, None, &scopes("common"));
        find(&mut group, "miss", size, &cache, None, &scopes("common resource"));
        merge(&mut group, size, &mut cache, None, &exact);
    }
}

/// From stored bytes to a cache: what a start costs.
fn start(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    let stored: Vec<_> = (0..10_000).flat_map(user).map(|entry| entry.encode()).collect();
    group.bench_function("10,000 users, 30,000 entries", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut decoder = EntryDecoder::default();
            let entries = stored.iter().filter_map(|bytes| decoder.decode(bytes).ok());
            TokenCache::from_entries(entries)
        });
    });
}

fn find(
    group: &mut BenchmarkGroup<'_, WallTime>,
    what: &str,
    size: usize,
    cache: &TokenCache,
    home_account_id: Option<&AccountId>,
    wanted: &ScopeSet,
) {
    let client_id = client();
    let query = AccessTokenQuery {
        environment: HOST,
        home_account_id,
        client_id: Some(&client_id),
        realm: TENANT,
        scopes: wanted,
        extension: None,
        key_id: None,
    };
    let is_found = cache.find_access_token(&query, NOW, 300).is_some();
    assert_eq!(is_found, what.starts_with("hit"), "{what}");
    group.bench_function(BenchmarkId::new(what, size), |bencher| {
        bencher.iter(|| cache.find_access_token(black_box(&query), NOW, 300));
    });
}

/// Plans and applies an answer that replaces a token and changes nothing in size.
fn merge(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    cache: &mut TokenCache,
    home_account_id: Option<&AccountId>,
    granted: &ScopeSet,
) {
    let (client_id, secret) = (client(), Secret::new("A".repeat(2000)));
    let event = TokenEvent {
        client_id: Some(&client_id),
        access_token: Some(&secret),
        expires_in: Some(3600),
        refresh_token: home_account_id.map(|_| &secret),
        id_claims: IdClaims { sub: home_account_id.map(AccountId::as_str), ..IdClaims::default() },
        ..TokenEvent::new(HOST, TENANT, granted)
    };
    group.bench_function(BenchmarkId::new("merge", size), |bencher| {
        bencher.iter(|| {
            let changes = cache.plan_token_response(black_box(&event), NOW);
            cache.apply(&changes);
        });
    });
}

fn user(number: usize) -> [Entry; 3] {
    let AccessToken { environment, home_account_id, client_id, realm, scopes, .. } =
        access_token(number);
    let refresh_token = RefreshToken {
        environment: environment.clone(),
        home_account_id: home_account_id.clone(),
        client_id,
        scopes,
        secret: Secret::new("R".repeat(1200)),
        last_modified: UnixTime::from_seconds(1000),
        family_id: None,
        key_id: None,
        extra: None,
    };
    let account = Account {
        environment,
        home_account_id: home(number),
        realm,
        local_account_id: None,
        username: format!("someone.{number}@contoso.com").into(),
        authority_type: "MSSTS".into(),
        account_source: None,
        added_at: UnixTime::from_seconds(1000),
        extra: None,
    };
    [
        entry(access_token(number)),
        Entry::RefreshToken(Arc::new(refresh_token)),
        Entry::Account(Arc::new(account)),
    ]
}

fn access_token(number: usize) -> AccessToken {
    AccessToken {
        environment: HOST.into(),
        home_account_id: Some(home(number)),
        client_id: Some(client()),
        realm: TENANT.into(),
        scopes: granted(),
        extension: None,
        key_id: None,
        secret: Secret::new("A".repeat(2000)),
        token_type: "Bearer".into(),
        cached_at: UnixTime::from_seconds(1000),
        expires_on: UnixTime::from_seconds(5000),
        extended_expires_on: UnixTime::from_seconds(5000),
        refresh_on: None,
        extra: None,
    }
}

fn granted() -> ScopeSet {
    scopes("User.Read email openid profile")
}

fn scopes(target: &str) -> ScopeSet {
    ScopeSet::from_target(target)
}

#[expect(clippy::unwrap_used, reason = "the text has no character that an identifier may not have")]
fn home(number: usize) -> AccountId {
    AccountId::new(&format!("{number:036}.{TENANT}")).unwrap()
}

#[expect(clippy::unwrap_used, reason = "the text has no character that an identifier may not have")]
fn client() -> ClientId {
    ClientId::new(CLIENT).unwrap()
}

fn entry(token: AccessToken) -> Entry {
    Entry::AccessToken(Arc::new(token))
}
