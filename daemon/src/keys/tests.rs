//! Who waits for a key, and whose key is opened again.

use super::*;

/// A day on which the certificate of the fixtures is good.
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn key(passphrase: &str) -> v1::ClientCredential {
    let text = include_str!("../../../crates/oauth/src/credential/fixtures/key.aes.pem");
    v1::ClientCredential::PrivateKey {
        private_key: v1::SecretText(text.to_owned()),
        passphrase: Some(v1::SecretText(passphrase.to_owned())),
        certificate: None,
        thumbprint: Some("a".repeat(40)),
    }
}

const PASSPHRASE: &str = "schlüssel";

fn is_later<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::Later { .. }))
}

#[tokio::test(start_paused = true)]
async fn keys_are_opened_one_after_the_other_and_too_many_are_sent_away() {
    let keys = Keys::default();
    let key = key(PASSPHRASE);
    let busy = Arc::clone(&keys.turn).lock_owned().await;
    let waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(keys.open(&key, NOW))).collect();
    let mut waiting = futures_util::future::join_all(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(is_later(&keys.open(&key, NOW).await));
    let secret = v1::ClientCredential::Secret { secret: v1::SecretText("s".to_owned()) };
    assert!(keys.open(&secret, NOW).await.is_ok(), "what is no key waits for none");
    drop(busy);
    assert!(waiting.await.iter().all(Result::is_ok));
    assert!(keys.open(&key, NOW).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let keys = Keys::default();
    let _busy = Arc::clone(&keys.turn).lock_owned().await;
    assert!(is_later(&keys.open(&key(PASSPHRASE), NOW).await));
}

#[tokio::test]
async fn a_declared_key_is_opened_once_in_an_epoch() {
    let keys = Keys::default();
    let (epoch, next) = (Arc::default(), Arc::default());
    let key_of_today = key(PASSPHRASE);
    keys.open_declared("mail", &epoch, &key_of_today, NOW).await.unwrap();
    // Nothing can be opened from here on.
    keys.places.close();
    assert!(keys.open_declared("mail", &epoch, &key_of_today, NOW).await.is_ok());
    for (name, epoch, key) in [
        ("post", &epoch, &key_of_today),
        ("mail", &next, &key_of_today),
        ("mail", &epoch, &key("another")),
    ] {
        assert!(is_later(&keys.open_declared(name, epoch, key, NOW).await), "{name}");
    }
}
