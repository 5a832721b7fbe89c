//! Of several users, who is not there takes up nothing, and comes back to all that was theirs.
#![cfg(unix)]

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use tempfile::TempDir;
use valetkey_engine::Ports;
use valetkey_engine::ports::{BoxFuture, Clock};
use valetkey_ipc::{Endpoint, Listener, Stream};
use valetkey_model::{Partition, UnixTime};
use valetkey_policy::{Grant, ProgramKey, Word};
use valetkey_vault::{KeyChoice, KeyProvider, OpenOptions};

use super::*;
use crate::config::{NetworkConfig, Source};
use crate::http_client::{MachineClient, ReqwestClient};
use crate::redirect_listener::LoopbackListener;
use crate::rng::SystemRng;
use crate::share::Share;
use crate::shutdown::Shutdown;
use crate::store::VaultStore;

/// A clock that the test moves, and on which nobody waits.
#[derive(Default)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(1_700_000_000 + self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

struct World {
    broker: Broker,
    clock: Arc<HandClock>,
    listener: Listener,
    endpoint: Endpoint,
    _shutdown: Shutdown,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let text = "[service]\nusers = \"all\"\n";
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes())
            .unwrap();
        let clock = Arc::new(HandClock::default());
        let source = Source::of(vec![file]).for_system(true);
        let configuration = Arc::new(Configuration::load(source, clock.now()).unwrap());
        let options = OpenOptions {
            key: KeyChoice::Only(KeyProvider::File),
            ..OpenOptions::new(folder.path().join("state"), 1_000)
        };
        let store = Arc::new(VaultStore::open(options, Arc::new(|| 1_000)).unwrap());
        let (network, lookup) = (NetworkConfig::default(), &|_: &str| None);
        let engine = Engine::new(Ports {
            http: Arc::new(ReqwestClient::new(&network, lookup)),
            clock: Arc::clone(&clock) as _,
            rng: Arc::new(SystemRng),
            store: Arc::clone(&store) as _,
            redirects: Arc::new(LoopbackListener),
            machine: Arc::new(MachineClient::new(&network, lookup)),
        });
        let (shutdown, stop) = Shutdown::new();
        let audit = Audit::start(folder.path().join("audit")).unwrap();
        let secrets = Secrets::new(Arc::clone(&store), None);
        let consent = Consent::new(store, stop);
        let service = Arc::new(Service::new(true));
        let broker = Broker::new(engine, configuration, secrets, audit, consent, service);
        let endpoint = Endpoint::at(folder.path().join("broker.sock"));
        let listener = Listener::bind(&endpoint).unwrap();
        Self { broker, clock, listener, endpoint, _shutdown: shutdown, _folder: folder }
    }

    /// A connection that was let in, and the other end of it.
    async fn connect(&self) -> (Session, Stream) {
        let (connected, accepted) =
            tokio::join!(valetkey_ipc::connect(&self.endpoint), self.listener.accept());
        let (_, peer) = accepted.unwrap().identify().unwrap();
        let session = Session::new(peer, Arc::new(Share::default()));
        self.broker.check_connection(&session).await.unwrap();
        (session, connected.unwrap())
    }

    fn is_in_memory(&self, user: &Partition) -> bool {
        self.broker.engine().find_user(user).is_some()
    }

    async fn sweep_after(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
        self.broker.sweep_in_memory().await;
    }
}

fn cache() -> v1::ImportCacheRequest {
    let token = json!({
        "credential_type": "RefreshToken", "environment": "login.example.com", "client_id": "editor",
        "home_account_id": "ada.home", "secret": "rt-1", "target": "",
    });
    let cache =
        json!({"RefreshToken": {"ada.home-login.example.com-refreshtoken-editor--": token}});
    v1::ImportCacheRequest { cache: cache.as_object().cloned().unwrap() }
}

fn until_lock(at: UnixTime) -> Grant {
    Grant {
        id: "g-1".to_owned(),
        program: ProgramKey::Executable { path: "/usr/bin/editor".into(), sandbox: None },
        environment: "login.example.com".to_owned(),
        account: AccountId::new("ada.home").unwrap(),
        client_id: None,
        scopes: None,
        word: Word::UntilLock,
        since: at,
        until: None,
    }
}

#[tokio::test]
async fn who_has_no_connection_for_ten_minutes_leaves_memory_and_loses_nothing() {
    let world = World::new();
    let (session, other_end) = world.connect().await;
    let user = session.caller().partition.clone();
    world.broker.import_cache(&session, cache()).await.unwrap();
    let book = world.broker.open_book(&user).await.unwrap();
    book.keep(vec![until_lock(world.clock.now())], world.clock.now()).await.unwrap();
    drop(book);
    world.sweep_after(0).await;
    world.sweep_after(3600).await;
    assert!(world.is_in_memory(&user), "an idle connection is somebody who is there");
    drop((session, other_end));
    world.sweep_after(0).await;
    world.sweep_after(599).await;
    assert!(world.is_in_memory(&user));
    world.sweep_after(1).await;
    assert!(!world.is_in_memory(&user));

    let (session, _other_end) = world.connect().await;
    let counts = world.broker.user(&session).await.unwrap().counts();
    assert_eq!(counts.refresh_tokens, 1);
    let grants = world.broker.open_book(&user).await.unwrap().grants();
    assert_eq!(grants.iter().len(), 1, "what was said until the lock is nowhere else, and holds");
}

#[tokio::test]
async fn what_somebody_has_in_hand_stays_until_it_is_done() {
    let world = World::new();
    let (session, other_end) = world.connect().await;
    let user = session.caller().partition.clone();
    let at_work = world.broker.user(&session).await.unwrap();
    drop((session, other_end));
    world.sweep_after(0).await;
    world.sweep_after(600).await;
    assert!(world.is_in_memory(&user), "as with a refresh that is under way");
    drop(at_work);
    world.sweep_after(0).await;
    world.sweep_after(600).await;
    assert!(!world.is_in_memory(&user));
}
