//! The store between engine and vault: shared commits, locking, damage.

use std::path::Path;

use valetkey_cache::Document;
use valetkey_model::UnixTime;
use valetkey_proto::v1::ErrorCode;
use valetkey_vault::{KeyChoice, KeyProvider, PassphraseCost};

use super::*;

fn options(folder: &Path, key: KeyProvider, passphrase: Option<&str>) -> OpenOptions {
    let mut options = OpenOptions::new(folder, 1_700_000_000);
    options.key = KeyChoice::Only(key);
    options.passphrase = passphrase.map(|text| Zeroizing::new(text.to_owned()));
    options.passphrase_cost = PassphraseCost::new(8, 1, 1).unwrap();
    options
}

fn open(folder: &Path, key: KeyProvider, passphrase: Option<&str>) -> VaultStore {
    VaultStore::open(options(folder, key, passphrase), Arc::new(|| 1_700_000_000)).unwrap()
}

fn document(number: usize) -> Entry {
    Entry::Document(Arc::new(Document {
        url: format!("https://login.example.com/{number}").into(),
        fetched_at: UnixTime::from_seconds(1_700_000_000),
        body: "{}".into(),
    }))
}

async fn keys(store: &VaultStore, partition: &Partition) -> Vec<String> {
    let entries = TokenStore::load(store, partition).await.unwrap();
    let mut keys: Vec<_> = entries.iter().map(|entry| entry.key().to_string()).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn what_was_saved_is_there_after_a_restart_and_only_for_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, yours) = (Partition::of_uid(1), Partition::of_uid(2));
    let (kept, dropped) = (document(1), document(2));
    {
        let store = open(folder.path(), KeyProvider::File, None);
        let puts = [Change::Put(kept.clone()), Change::Put(dropped.clone())];
        TokenStore::save(&store, &mine, &puts).await.unwrap();
        TokenStore::save(&store, &mine, &[Change::Remove(dropped)]).await.unwrap();
    }
    let store = open(folder.path(), KeyProvider::File, None);
    assert_eq!(keys(&store, &mine).await, [kept.key().to_string()]);
    assert!(keys(&store, &yours).await.is_empty());
    let report = store.report();
    assert_eq!((report.locked, report.key_provider.as_str()), (false, "file"));
    assert_eq!(report.path, folder.path().display().to_string());
}

#[tokio::test]
async fn saves_of_many_callers_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let partition = Partition::of_uid(1);
    {
        let store = open(folder.path(), KeyProvider::File, None);
        let changes: Vec<_> = (0..200).map(|number| [Change::Put(document(number))]).collect();
        let saves = changes.iter().map(|change| TokenStore::save(&store, &partition, change));
        for saved in futures_util::future::join_all(saves).await {
            saved.unwrap();
        }
    }
    let store = open(folder.path(), KeyProvider::File, None);
    assert_eq!(keys(&store, &partition).await.len(), 200);
}

#[tokio::test]
async fn a_store_with_a_passphrase_is_locked_until_the_right_one_comes() {
    let folder = tempfile::tempdir().unwrap();
    let partition = Partition::of_uid(1);
    {
        let store = open(folder.path(), KeyProvider::Passphrase, Some("correct horse"));
        TokenStore::save(&store, &partition, &[Change::Put(document(1))]).await.unwrap();
    }
    let store = open(folder.path(), KeyProvider::Passphrase, None);
    assert!(store.report().locked);
    let refused = TokenStore::load(&store, &partition).await;
    assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
    let refused = TokenStore::save(&store, &partition, &[Change::Put(document(2))]).await;
    assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");

    let wrong = store.unlock(Secret::new("wrong".to_owned()), None).await;
    assert!(is_code(&wrong, ErrorCode::StoreLocked), "{wrong:?}");
    store.unlock(Secret::new("correct horse".to_owned()), None).await.unwrap();
    assert_eq!(keys(&store, &partition).await.len(), 1);

    store.lock().await.unwrap();
    assert!(store.report().locked);
    let refused = TokenStore::load(&store, &partition).await;
    assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
}

#[tokio::test]
async fn a_second_wrong_passphrase_costs_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), KeyProvider::Passphrase, Some("correct horse")));
    let store = open(folder.path(), KeyProvider::Passphrase, None);
    assert!(store.awaits_passphrase());
    let attempt = || store.unlock(Secret::new("wrong".to_owned()), None);
    for wrong in [attempt().await, attempt().await] {
        assert!(is_code(&wrong, ErrorCode::StoreLocked), "{wrong:?}");
    }
    let right = store.unlock(Secret::new("correct horse".to_owned()), None).await;
    assert!(matches!(right, Err(Failure::Later { seconds: 1, .. })), "{right:?}");
}

#[tokio::test]
async fn of_many_unlocks_at_once_one_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), KeyProvider::Passphrase, Some("correct horse")));
    let store = open(folder.path(), KeyProvider::Passphrase, None);
    let attempts = (0..20).map(|_| store.unlock(Secret::new("wrong".to_owned()), None));
    let outcomes = futures_util::future::join_all(attempts).await;
    let tried = outcomes.iter().filter(|outcome| is_code(outcome, ErrorCode::StoreLocked)).count();
    let later = outcomes.iter().filter(|o| matches!(o, Err(Failure::Later { .. }))).count();
    // The first may have turned out to be wrong before the last one came; the second costs a pause.
    assert!((1..=2).contains(&tried) && tried + later == 20, "{tried} were tried");
}

#[tokio::test]
async fn what_a_passphrase_protects_is_shown_to_whoever_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), KeyProvider::Passphrase, Some("correct horse"));
    let check = async |text: Option<&str>| {
        store.check_passphrase(text.map(|text| Secret::new(text.to_owned())), None).await
    };
    for refused in [check(None).await, check(Some("wrong")).await] {
        assert!(is_code(&refused, ErrorCode::AccessDenied), "{refused:?}");
    }
    check(Some("correct horse")).await.unwrap();
    store.lock().await.unwrap();
    let refused = check(Some("correct horse")).await;
    assert!(matches!(refused, Err(Failure::Engine(_))), "{refused:?}");

    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), KeyProvider::File, None);
    store.check_passphrase(None, None).await.unwrap();
}

#[tokio::test]
async fn a_store_that_needs_nobody_stays_locked_until_it_is_asked_to_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), KeyProvider::File, None);
    let partition = Partition::of_uid(1);
    TokenStore::save(&store, &partition, &[Change::Put(document(1))]).await.unwrap();
    for unlock in [true, false] {
        store.lock().await.unwrap();
        let report = store.report();
        assert_eq!((report.locked, report.key_provider.as_str()), (true, "file"));
        assert!(!store.awaits_passphrase());
        for _ in 0..2 {
            let refused = TokenStore::load(&store, &partition).await;
            assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
        }
        match unlock {
            true => store.unlock(Secret::new(String::new()), None).await.unwrap(),
            false => store.reopen().await.unwrap(),
        }
        assert_eq!(keys(&store, &partition).await.len(), 1);
    }
}

#[tokio::test]
async fn no_store_opens_without_its_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), KeyProvider::Passphrase, Some("correct horse"));
    store.lock().await.unwrap();
    store.reopen().await.unwrap();
    assert!(store.report().locked && store.awaits_passphrase());
}

/// As a request would say it.
fn rotation(provider: Option<KeyProvider>, old: Option<&str>, new: Option<&str>) -> Rotation {
    let secret = |text: Option<&str>| text.map(|text| Secret::new(text.to_owned()));
    let (passphrase, new_passphrase) = (secret(old), secret(new));
    let declared = provider;
    Rotation {
        wrapping: true,
        provider,
        declared,
        passphrase,
        new_passphrase,
        ..Rotation::default()
    }
}

#[tokio::test]
async fn a_wrapping_key_is_replaced_by_who_may_and_knows() {
    use KeyProvider::{File, Passphrase};
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), File, None);
    let partition = Partition::of_uid(1);
    TokenStore::save(&store, &partition, &[Change::Put(document(1))]).await.unwrap();
    store.rotate(rotation(None, None, None), None).await.unwrap();
    for (old, new) in [(None, None), (None, Some(""))] {
        let refused = store.rotate(rotation(Some(Passphrase), old, new), None).await;
        assert!(is_code(&refused, ErrorCode::BadRequest), "{refused:?}");
    }
    store.rotate(rotation(Some(Passphrase), None, Some("first")), None).await.unwrap();
    let refused = store.rotate(rotation(None, None, Some("second")), None).await;
    assert!(is_code(&refused, ErrorCode::AccessDenied), "{refused:?}");
    let refused = store.rotate(rotation(None, Some("wrong"), Some("second")), None).await;
    assert!(is_code(&refused, ErrorCode::AccessDenied), "{refused:?}");
    store.rotate(rotation(None, Some("first"), Some("second")), None).await.unwrap();
    let refused = store.rotate(rotation(Some(File), Some("second"), None), None).await;
    assert!(is_code(&refused, ErrorCode::BadRequest), "weaker: {refused:?}");
    store.lock().await.unwrap();
    assert!(store.awaits_passphrase());
    store.unlock(Secret::new("second".to_owned()), None).await.unwrap();
    let weaker = Rotation { accepts_weaker: true, ..rotation(Some(File), Some("second"), None) };
    store.rotate(weaker, None).await.unwrap();
    assert_eq!(store.report().key_provider, "file");
    assert_eq!(keys(&store, &partition).await.len(), 1);
}

#[tokio::test]
async fn a_key_moves_to_the_provider_that_is_declared_and_to_no_other() {
    use KeyProvider::{File, Passphrase};
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), File, None);
    for declared in [None, Some(File), Some(KeyProvider::Credential)] {
        let moved = Rotation { declared, ..rotation(Some(Passphrase), None, Some("first")) };
        let refused = store.rotate(moved, None).await;
        assert!(is_code(&refused, ErrorCode::AccessDenied), "{declared:?}: {refused:?}");
    }
    store
        .rotate(Rotation { declared: None, ..rotation(Some(File), None, None) }, None)
        .await
        .unwrap();
    assert_eq!(store.report().key_provider, "file");
    store.rotate(rotation(Some(Passphrase), None, Some("first")), None).await.unwrap();
    assert_eq!(store.report().key_provider, "passphrase");
}

#[tokio::test]
async fn records_are_sealed_anew_behind_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), KeyProvider::File, None);
    let partition = Partition::of_uid(1);
    let all: Vec<_> = (0..6000).map(|number| Change::Put(document(number))).collect();
    TokenStore::save(&store, &partition, &all).await.unwrap();
    store.rotate(Rotation { data: true, ..Rotation::default() }, None).await.unwrap();
    let mut meanwhile = 0;
    while store.report().sealing_anew {
        let more = [Change::Put(document(10_000 + meanwhile))];
        TokenStore::save(&store, &partition, &more).await.unwrap();
        meanwhile += 1;
    }
    assert!(meanwhile > 1, "{meanwhile} saves meanwhile");
    assert_eq!(keys(&store, &partition).await.len(), 6000 + meanwhile);
}

#[tokio::test]
async fn a_second_daemon_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path(), KeyProvider::File, None);
    let second = VaultStore::open(
        options(folder.path(), KeyProvider::File, None),
        Arc::new(|| 1_700_000_000),
    );
    assert!(matches!(second.err(), Some(VaultError::InUse { .. })));
}

fn is_code(outcome: &Result<(), Failure>, expected: ErrorCode) -> bool {
    matches!(outcome, Err(Failure::Request { code, .. } | Failure::Advised { code, .. }) if *code == expected)
}
