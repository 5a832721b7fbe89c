//! What the cache costs in memory, counted by an allocator of our own: a bound for each token, and nothing for a look-up.

#![expect(clippy::unwrap_used, reason = "a panic in a test's own helper is a failed test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use valetkey_cache::{
    AccessToken, AccessTokenQuery, Account, Change, Entry, EntryDecoder, IdToken, RefreshToken,
    TokenCache,
};
use valetkey_model::{AccountId, ClientId, ScopeSet, Secret, UnixTime};

const USERS: usize = 2000;
const ENTRA_SCOPES: &str = "User.Read email openid profile";

#[test]
fn a_user_with_all_kinds_of_tokens_costs_at_most_2_kib_beside_the_tokens() {
    let (cache, bytes) = measure(|| restarted((0..USERS).flat_map(user)));
    let own: usize = cache.entries().map(|entry| secret_length(&entry)).sum();
    let beside = (bytes - own) / USERS;
    assert!(beside <= 2048, "{beside} bytes for each user beside the tokens themselves");
}

#[test]
fn an_application_token_among_thousands_in_one_bucket_costs_at_most_2_kib_beside_itself() {
    let token = |number| AccessToken {
        home_account_id: None,
        scopes: ScopeSet::from_target(&format!("api://resource-{number}/.default")),
        ..access_token(number)
    };
    let entries = (0..USERS).map(|number| Entry::AccessToken(Arc::new(token(number))));
    let (cache, bytes) = measure(|| restarted(entries));
    let own: usize = cache.entries().map(|entry| secret_length(&entry)).sum();
    let beside = (bytes - own) / USERS;
    assert!(beside <= 2048, "{beside} bytes for each token beside itself");
}

#[test]
fn a_cache_takes_up_no_more_than_it_says_and_says_nothing_of_what_has_gone() {
    let mut changed = TokenCache::new();
    for entries in [(0..USERS).flat_map(user).collect::<Vec<_>>(), small_entries()] {
        let (cache, bytes) = measure(|| restarted(entries.iter().cloned()));
        assert!(bytes <= cache.size(), "{bytes} bytes, and it says {}", cache.size());
        let size: usize = entries.iter().map(Entry::size).sum();
        assert_eq!(cache.size(), size);
        let puts: Vec<_> = entries.iter().cloned().map(Change::Put).collect();
        changed.apply(&puts);
        changed.apply(&puts);
        assert_eq!(changed.size(), size, "what is replaced counts once");
        changed.apply(&entries.into_iter().map(Change::Remove).collect::<Vec<_>>());
        assert_eq!(changed.size(), 0);
    }
}

/// Those of which most is not text.
fn small_entries() -> Vec<Entry> {
    let token = |number: usize| AccessToken {
        home_account_id: None,
        scopes: ScopeSet::from_target(&format!("{number}")),
        secret: Secret::new("A".to_owned()),
        ..access_token(number)
    };
    (0..USERS).map(|number| Entry::AccessToken(Arc::new(token(number)))).collect()
}

#[test]
fn a_look_up_allocates_nothing() {
    let cache = TokenCache::from_entries((0..USERS).flat_map(user));
    let token = access_token(7);
    let home_account_id = token.home_account_id.as_ref().unwrap();
    let now = UnixTime::from_seconds(2000);
    for (wanted, is_there) in [(ENTRA_SCOPES, true), ("User.Read", true), ("Mail.Read", false)] {
        let scopes = ScopeSet::from_target(wanted);
        let query = AccessTokenQuery {
            environment: &token.environment,
            home_account_id: Some(home_account_id),
            client_id: token.client_id.as_ref(),
            realm: &token.realm,
            scopes: &scopes,
            extension: None,
            key_id: None,
        };
        let (found, allocations) =
            count_allocations(|| cache.find_access_token(&query, now, 300).is_some());
        assert_eq!((found, allocations), (is_there, 0), "{wanted}");
    }
    let (count, allocations) = count_allocations(|| {
        cache.refresh_tokens(&token.environment, home_account_id).count()
            + usize::from(cache.account(&token.environment, home_account_id).is_some())
            + usize::from(cache.has_refresh_token_in(&token.environment))
    });
    assert_eq!((count, allocations), (3, 0));
}

fn user(number: usize) -> [Entry; 4] {
    let AccessToken { environment, home_account_id, client_id, realm, scopes, .. } =
        access_token(number);
    let refresh_token = RefreshToken {
        environment: environment.clone(),
        home_account_id: home_account_id.clone(),
        client_id: client_id.clone(),
        scopes,
        secret: Secret::new("R".repeat(1200)),
        last_modified: UnixTime::from_seconds(1000),
        family_id: Some("1".into()),
        key_id: None,
        extra: None,
    };
    let id_token = IdToken {
        environment: environment.clone(),
        home_account_id: home_account_id.clone(),
        client_id,
        realm: realm.clone(),
        secret: Secret::new("I".repeat(1500)),
        extra: None,
    };
    let account = Account {
        environment,
        home_account_id: home_account_id.unwrap(),
        realm,
        local_account_id: Some(format!("{number:036}").into()),
        username: format!("someone.{number}@contoso.onmicrosoft.com").into(),
        authority_type: "MSSTS".into(),
        account_source: Some("authorization_code".into()),
        added_at: UnixTime::from_seconds(1000),
        extra: None,
    };
    [
        Entry::AccessToken(Arc::new(access_token(number))),
        Entry::RefreshToken(Arc::new(refresh_token)),
        Entry::IdToken(Arc::new(id_token)),
        Entry::Account(Arc::new(account)),
    ]
}

fn access_token(number: usize) -> AccessToken {
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    AccessToken {
        environment: "login.microsoftonline.com".into(),
        home_account_id: Some(AccountId::new(&format!("{number:036}.{tenant}")).unwrap()),
        client_id: Some(ClientId::new("04b07795-8ddb-461a-bbee-02f9e1bf7b46").unwrap()),
        realm: tenant.into(),
        scopes: ScopeSet::from_target(ENTRA_SCOPES),
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

/// The cache after a restart: all of it read from stored bytes.
fn restarted(entries: impl Iterator<Item = Entry>) -> TokenCache {
    let mut decoder = EntryDecoder::default();
    TokenCache::from_entries(entries.map(|entry| decoder.decode(&entry.encode()).unwrap()))
}

fn secret_length(entry: &Entry) -> usize {
    match entry {
        Entry::AccessToken(token) => token.secret.expose().len(),
        Entry::RefreshToken(token) => token.secret.expose().len(),
        Entry::IdToken(token) => token.secret.expose().len(),
        _ => 0,
    }
}

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The value, and how many bytes it holds.
fn measure<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE_BYTES.get();
    let value = make();
    (value, usize::try_from(LIVE_BYTES.get() - before).unwrap())
}

fn count_allocations<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let value = act();
    (value, ALLOCATIONS.get() - before)
}

/// Counts for each thread, so that tests beside one another do not mix.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it is; the counters are plain cells without a destructor, so that
// touching them neither allocates nor fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
