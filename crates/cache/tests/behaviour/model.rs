//! The cache against a model that is a plain list: whatever is put and removed, both hold and find the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use valetkey_cache::{
    AccessToken, AccessTokenQuery, Change, Entry, EntryKey, RefreshToken, TokenCache,
};
use valetkey_model::ScopeSet;

use crate::support::*;

/// Values that differ in one thing, in letter case, or in nothing: the first is the usual one, so that buckets get full.
const HOSTS: [&str; 2] = [HOST, "login.contoso.com:8443"];
const HOMES: [Option<&str>; 3] = [Some("u"), Some("U"), None];
const CLIENTS: [Option<&str>; 4] = [Some("c"), Some("C"), Some("d"), None];
const REALMS: [&str; 2] = ["t", "T"];
const EXTENSIONS: [Option<&str>; 2] = [None, Some("x")];
const KEYS: [Option<&str>; 2] = [None, Some("k")];
const SCOPES: [&str; 6] = ["a", "b", "c", "d", "e", "A"];

fn usually_first(length: usize) -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0), 1 => 0..length]
}

fn scope_set() -> impl Strategy<Value = ScopeSet> {
    proptest::sample::subsequence(&SCOPES[..], 0..=SCOPES.len())
        .prop_map(|members| ScopeSet::new(members).unwrap())
}

prop_compose! {
    fn any_access_token()(
        host in usually_first(2), owner in usually_first(3), client_id in usually_first(4),
        realm in usually_first(2), extension in usually_first(2), key in usually_first(2),
        scopes in scope_set(), expires_on in 0..100_i64,
    ) -> AccessToken {
        AccessToken {
            environment: HOSTS[host].into(),
            home_account_id: HOMES[owner].map(home),
            client_id: CLIENTS[client_id].map(client),
            realm: REALMS[realm].into(),
            extension: EXTENSIONS[extension].map(Into::into),
            key_id: KEYS[key].map(foreign),
            scopes,
            expires_on: at(expires_on),
            ..access_token("", "")
        }
    }
}

prop_compose! {
    fn any_other_entry()(
        kind in 0..4, host in usually_first(2), owner in 0..2_usize, client_id in usually_first(4),
        realm in usually_first(2), scopes in scope_set(), time in 0..100_i64,
    ) -> Entry {
        let environment = HOSTS[host].into();
        let home_account_id = HOMES[owner].map(home);
        let client_id = CLIENTS[client_id].map(client);
        match kind {
            0 => RefreshToken { environment, home_account_id, client_id, scopes,
                                last_modified: at(time), ..refresh_token("", "") }.entry(),
            1 => valetkey_cache::IdToken { environment, home_account_id, client_id,
                                           realm: REALMS[realm].into(), ..id_token("") }.entry(),
            2 => valetkey_cache::Account { environment,
                                           ..account(HOMES[owner].unwrap(), REALMS[realm], time) }.entry(),
            _ => valetkey_cache::AppMetadata { environment, client_id, ..app("c", None) }.entry(),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Entry),
    Remove(usize),
    SignOut { owner: usize, client_id: usize },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_access_token().prop_map(|token| Step::Put(token.entry())),
        4 => any_other_entry().prop_map(Step::Put),
        6 => any::<usize>().prop_map(Step::Remove),
        1 => (0..2_usize, 0..3_usize).prop_map(|(owner, client_id)| Step::SignOut { owner, client_id }),
    ]
}

/// The list. Keys are what makes two entries one, nothing else.
#[derive(Default)]
struct Model(BTreeMap<EntryKey, Entry>);

impl Model {
    fn perform(&mut self, cache: &mut TokenCache, step: Step) {
        match step {
            Step::Put(entry) => {
                cache.apply(&[Change::Put(entry.clone())]);
                self.0.insert(entry.key(), entry);
            }
            Step::Remove(_) if self.0.is_empty() => {}
            Step::Remove(number) => {
                let key = self.0.keys().nth(number % self.0.len()).unwrap().clone();
                cache.apply(&[Change::Remove(self.0.remove(&key).unwrap())]);
            }
            Step::SignOut { owner, client_id } => {
                let (owner, client_id) =
                    (home(HOMES[owner].unwrap()), CLIENTS[client_id].map(client));
                let changes = cache.plan_sign_out(&HOSTS, &owner, client_id.as_ref());
                cache.apply(&changes);
                let same_client = |it: &RefreshToken| {
                    let lower = |id: &valetkey_model::ClientId| id.as_str().to_lowercase();
                    it.client_id.as_ref().map(lower) == client_id.as_ref().map(lower)
                };
                self.0.retain(|_, entry| match entry {
                    Entry::AccessToken(it) => it.home_account_id.as_ref() != Some(&owner),
                    Entry::IdToken(it) => it.home_account_id.as_ref() != Some(&owner),
                    Entry::Account(it) => it.home_account_id != owner,
                    Entry::RefreshToken(it) => {
                        it.home_account_id.as_ref() != Some(&owner) || !same_client(it)
                    }
                    _ => true,
                });
            }
        }
    }

    fn access_tokens(&self) -> impl Iterator<Item = &AccessToken> {
        self.0.values().filter_map(|entry| match entry {
            Entry::AccessToken(token) => Some(&**token),
            _ => None,
        })
    }

    /// When the best token ends: the exact one, else the last of the supersets.
    fn best_expiry(&self, query: &AccessTokenQuery<'_>, now: i64, least: i64) -> Option<i64> {
        let usable = || {
            self.access_tokens()
                .filter(|token| matches(query, token))
                .filter(|token| token.expires_on.seconds() - now >= least)
        };
        let exact = usable().find(|token| token.scopes == *query.scopes);
        let best = exact.or_else(|| usable().max_by_key(|token| token.expires_on));
        best.map(|token| token.expires_on.seconds())
    }
}

fn matches(query: &AccessTokenQuery<'_>, token: &AccessToken) -> bool {
    let lower = |id: &valetkey_model::ClientId| id.as_str().to_lowercase();
    *token.environment == *query.environment
        && token.home_account_id.as_ref() == query.home_account_id
        && token.client_id.as_ref().map(lower) == query.client_id.map(lower)
        && *token.realm == *query.realm
        && token.extension.as_deref() == query.extension
        && token.key_id.as_ref() == query.key_id
        && query.scopes.iter().all(|scope| token.scopes.contains(scope))
}

fn keys_of(entries: impl Iterator<Item = Entry>) -> Vec<EntryKey> {
    let mut keys: Vec<_> = entries.map(|entry| entry.key()).collect();
    keys.sort();
    keys
}

fn check(
    steps: Vec<Step>,
    queries: &[(AccessToken, i64, i64)],
) -> Result<(), proptest::test_runner::TestCaseError> {
    let (mut cache, mut model) = (TokenCache::new(), Model::default());
    for step in steps {
        model.perform(&mut cache, step);
    }
    prop_assert_eq!(keys_of(cache.entries()), keys_of(model.0.values().cloned()));
    for (like, now, least) in queries {
        let query = query(like, &like.scopes);
        let found = cache.find_access_token(&query, at(*now), *least);
        if let Some(token) = found {
            prop_assert!(matches(&query, token), "{:?} is not for {:?}", token, query);
        }
        let expiry = found.map(|token| token.expires_on.seconds());
        prop_assert_eq!(expiry, model.best_expiry(&query, *now, *least), "{:?}", query);
    }
    for host in HOSTS {
        let is_here =
            |entry: &Entry| matches!(entry, Entry::RefreshToken(it) if *it.environment == *host);
        prop_assert_eq!(cache.has_refresh_token_in(host), model.0.values().any(is_here));
        for owner in HOMES.into_iter().flatten().map(home) {
            let found = cache.refresh_tokens(host, &owner).cloned().map(Entry::RefreshToken);
            let expected = model.0.values().filter(|entry| {
                matches!(entry, Entry::RefreshToken(it) if *it.environment == *host
                    && it.home_account_id.as_ref() == Some(&owner))
            });
            prop_assert_eq!(keys_of(found), keys_of(expected.cloned()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_holds_and_finds_what_a_plain_list_does(
        steps in proptest::collection::vec(any_step(), 0..150),
        queries in proptest::collection::vec((any_access_token(), 0..100_i64, 0..20_i64), 16),
    ) {
        check(steps, &queries)?;
    }

    #[test]
    fn bytes_from_anywhere_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = bytes;
        bytes.insert(0, valetkey_cache::FORMAT_VERSION);
        prop_assert!(Entry::decode(&bytes).is_err());
    }

    #[test]
    fn what_is_exported_is_imported_again(entries in proptest::collection::vec(any_access_token(), 0..40)) {
        let named = |token: AccessToken| AccessToken { secret: secret("AT"), ..token }.entry();
        let cache = TokenCache::from_entries(entries.into_iter().map(named));
        let imported = TokenCache::entries_from_msal_json(&cache.to_msal_json()).unwrap();
        prop_assert_eq!(keys_of(imported.into_iter()), keys_of(cache.entries()));
    }
}
