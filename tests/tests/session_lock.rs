//! The store is locked with the screen and before sleep, as a stand-in for systemd-logind tells on a bus of its own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]
#![expect(missing_docs, reason = "what `zbus::interface` makes has none")]

use std::os::fd::OwnedFd;

use serde_json::json;
use tokio::sync::mpsc;
use valetkey_testkit::entra::Options;
use valetkey_tests::bus::Bus;
use valetkey_tests::{ALICE, Machine, SeveralUsers, World, patiently};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{Fd, OwnedObjectPath};

const SESSION: &str = "/org/freedesktop/login1/session/_31";
const OF_ANOTHER: &str = "/org/freedesktop/login1/session/_32";

const NOBODY: u32 = 65_534;

/// Passes on the other ends of the inhibitors that are given out: each tells when its inhibitor is gone.
struct Manager(mpsc::UnboundedSender<OwnedFd>);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(&self, what: &str, _who: &str, _why: &str, mode: &str) -> Fd<'static> {
        assert_eq!((what, mode), ("sleep", "delay"));
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        self.0.send(ours.into()).unwrap();
        Fd::from(OwnedFd::from(theirs))
    }

    #[zbus(signal)]
    async fn prepare_for_sleep(emitter: &SignalEmitter<'_>, starts: bool) -> zbus::Result<()>;
}

struct Session {
    user: u32,
    locked_hint: bool,
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn user(&self) -> (u32, OwnedObjectPath) {
        (self.user, OwnedObjectPath::try_from("/org/freedesktop/login1/user/x").unwrap())
    }

    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.locked_hint
    }

    #[zbus(signal)]
    async fn lock(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn unlock(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// logind, as far as the daemon sees it.
struct Logind {
    connection: zbus::Connection,
    inhibitors: mpsc::UnboundedReceiver<OwnedFd>,
}

impl Logind {
    async fn start(bus: &Bus) -> Self {
        let (given, inhibitors) = mpsc::unbounded_channel();
        let own = rustix::process::geteuid().as_raw();
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .unwrap()
            .name("org.freedesktop.login1")
            .unwrap()
            .serve_at("/org/freedesktop/login1", Manager(given))
            .unwrap()
            .serve_at(SESSION, Session { user: own, locked_hint: false })
            .unwrap()
            .serve_at(OF_ANOTHER, Session { user: own + 1, locked_hint: false })
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { connection, inhibitors }
    }

    fn emitter(&self, path: &'static str) -> SignalEmitter<'static> {
        SignalEmitter::new(&self.connection, path).unwrap()
    }

    async fn prepare_for_sleep(&self, starts: bool) {
        let emitter = self.emitter("/org/freedesktop/login1");
        Manager::prepare_for_sleep(&emitter, starts).await.unwrap();
    }

    async fn set_hint(&self, locked: bool) {
        let server = self.connection.object_server();
        let session = server.interface::<_, Session>(SESSION).await.unwrap();
        session.get_mut().await.locked_hint = locked;
        session.get().await.locked_hint_changed(session.signal_emitter()).await.unwrap();
    }

    /// The next inhibitor that is given out.
    async fn given(&mut self) -> OwnedFd {
        patiently("an inhibitor", self.inhibitors.recv()).await.unwrap()
    }
}

async fn locked(world: &World, expected: bool) {
    let reached = async { while world.machine.status().await["locked"] != expected {} };
    patiently("the lock", reached).await;
}

async fn world(bus: &Bus, lock_on: &str) -> World {
    let machine = Machine::new().with("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
    machine.write("config/valetkey/config.toml", format!("[vault]\nlock_on = {lock_on}\n"));
    World::with(machine, Options::default()).await
}

#[tokio::test]
async fn the_store_is_locked_and_unlocked_with_the_screen() {
    let Some(bus) = Bus::start() else { return };
    let mut logind = Logind::start(&bus).await;
    let world = world(&bus, "[\"screen\"]").await;
    let token = world.caller().await.sign_in(world.control(), ALICE).await;
    let _inhibitor = logind.given().await;
    // Another user's screen comes first, and would have locked it.
    Session::lock(&logind.emitter(OF_ANOTHER)).await.unwrap();
    logind.prepare_for_sleep(true).await;
    logind.prepare_for_sleep(false).await;
    let _next = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], false);

    Session::lock(&logind.emitter(SESSION)).await.unwrap();
    locked(&world, true).await;
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    locked(&world, false).await;
    logind.set_hint(true).await;
    locked(&world, true).await;
    logind.set_hint(false).await;
    locked(&world, false).await;
    let kept = world.caller().await.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"]);

    // What somebody locked stays locked when the screen is unlocked: the lock of the screen after it shows that this was heard.
    world.machine.connect().await.post("/v1/lock", &json!({})).await.success();
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    logind.prepare_for_sleep(true).await;
    logind.prepare_for_sleep(false).await;
    let _last = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], true);
    let audit = world.machine.get("/v1/audit").await.success();
    let acts: Vec<_> =
        audit["records"].as_array().unwrap().iter().map(|r| r["act"].clone()).collect();
    let count = |act: &str| acts.iter().filter(|known| **known == act).count();
    assert_eq!((count("locked"), count("unlocked")), (3, 2), "{acts:?}");
}

#[tokio::test]
async fn what_others_on_the_bus_say_in_loginds_name_is_not_heard() {
    let Some(bus) = Bus::start() else { return };
    let mut logind = Logind::start(&bus).await;
    let world = world(&bus, "[\"screen\", \"sleep\"]").await;
    let _inhibitor = logind.given().await;
    let stranger = bus.connect().await;
    let forge = async |member: &str| {
        Bus::say_to_all(&stranger, SESSION, "org.freedesktop.login1.Session", member, &()).await;
    };
    let root = "/org/freedesktop/login1";
    let manager = "org.freedesktop.login1.Manager";
    let gone = ("org.freedesktop.login1", logind.connection.unique_name().unwrap().as_str(), "");
    let driver = ("/org/freedesktop/DBus", "org.freedesktop.DBus");
    Bus::say_to_all(&stranger, driver.0, driver.1, "NameOwnerChanged", &gone).await;
    Bus::say_to_all(&stranger, root, manager, "PrepareForSleep", &true).await;
    forge("Lock").await;
    // What logind says afterwards is heard afterwards.
    logind.prepare_for_sleep(false).await;
    let _next = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], false);

    Session::lock(&logind.emitter(SESSION)).await.unwrap();
    locked(&world, true).await;
    forge("Unlock").await;
    logind.prepare_for_sleep(false).await;
    let _last = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], true);
}

#[tokio::test]
async fn a_wish_to_unlock_opens_nothing_while_logind_says_that_the_screen_is_locked() {
    let Some(bus) = Bus::start() else { return };
    let mut logind = Logind::start(&bus).await;
    let world = world(&bus, "[\"screen\"]").await;
    let _inhibitor = logind.given().await;
    logind.set_hint(true).await;
    locked(&world, true).await;
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    logind.prepare_for_sleep(false).await;
    let _next = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], true);
    logind.set_hint(false).await;
    locked(&world, false).await;
}

#[tokio::test]
async fn the_machine_sleeps_when_the_keys_are_dropped_and_not_before() {
    let Some(bus) = Bus::start() else { return };
    let mut logind = Logind::start(&bus).await;
    let world = world(&bus, "[\"sleep\"]").await;
    let ours = std::os::unix::net::UnixStream::from(logind.given().await);
    ours.set_nonblocking(true).unwrap();
    let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
    logind.prepare_for_sleep(true).await;
    let mut byte = [0; 1];
    let end = tokio::io::AsyncReadExt::read(&mut ours, &mut byte);
    assert_eq!(patiently("the end of the inhibitor", end).await.unwrap(), 0);
    assert_eq!(world.machine.status().await["locked"], true);
    logind.prepare_for_sleep(false).await;
    let _next = logind.given().await;
    assert_eq!(world.machine.status().await["locked"], true);
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    locked(&world, false).await;
}

/// The users of several whose part is locked; the store itself is told apart by its absence.
async fn who_is_locked(machine: &SeveralUsers, users: [u32; 2]) -> Option<[bool; 2]> {
    let mut locked = [false; 2];
    for (user, locked) in users.into_iter().zip(&mut locked) {
        let status = machine.connect_as(user).get("/v1/status").await.success();
        if status["locked"] == true {
            return None;
        }
        *locked = status["service"]["locked_by_you"] == true;
    }
    Some(locked)
}

#[tokio::test]
async fn of_several_users_a_screen_locks_its_own_alone_and_sleep_locks_all() {
    let Some(bus) = Bus::start() else { return };
    let own = rustix::process::geteuid().as_raw();
    let mut logind = Logind::start(&bus).await;
    let configuration = "[service]\nusers = \"all\"\n[vault]\nlock_on = [\"screen\", \"sleep\"]\n";
    // dbus-daemon lets in nobody whom this machine has no name for.
    let machine = SeveralUsers::new(configuration).map(|machine| machine.running_as(NOBODY));
    let Some(mut machine) = machine else { return };
    let environment = format!("export DBUS_SYSTEM_BUS_ADDRESS={}", bus.address());
    machine.launch(&format!("{environment}; exec \"$0\" --system")).await;
    let _inhibitor = logind.given().await;
    let users = [own, own + 1];
    let reach = async |expected: Option<[bool; 2]>| {
        let reached = async { while who_is_locked(&machine, users).await != expected {} };
        patiently("the lock", reached).await;
    };
    reach(Some([false, false])).await;
    Session::lock(&logind.emitter(OF_ANOTHER)).await.unwrap();
    reach(Some([false, true])).await;
    Session::lock(&logind.emitter(SESSION)).await.unwrap();
    reach(Some([true, true])).await;
    Session::unlock(&logind.emitter(OF_ANOTHER)).await.unwrap();
    reach(Some([true, false])).await;

    // What somebody locked stays locked when the screen is unlocked: the other's lock after it shows that this was heard.
    assert_eq!(machine.connect_as(own + 1).post("/v1/lock", &json!({})).await.status, 204);
    Session::unlock(&logind.emitter(OF_ANOTHER)).await.unwrap();
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    reach(Some([false, true])).await;

    logind.prepare_for_sleep(true).await;
    reach(None).await;
    logind.prepare_for_sleep(false).await;
    Session::unlock(&logind.emitter(SESSION)).await.unwrap();
    reach(Some([false, true])).await;
    let audit = machine.connect_as(own + 1).get("/v1/audit").await.success().to_string();
    assert!(audit.contains("the screen was locked") && !audit.contains("sleep"), "{audit}");
    let audit = machine.connect_as(NOBODY).get("/v1/audit").await.success().to_string();
    assert!(audit.contains("the machine goes to sleep"), "{audit}");
}

#[tokio::test]
async fn a_missing_logind_is_told() {
    let Some(bus) = Bus::start() else { return };
    let world = world(&bus, "[\"screen\", \"sleep\"]").await;
    let told = async {
        loop {
            let auto = world.machine.status().await["auto_lock"].clone();
            if let Some(problem) = auto["problem"].as_str() {
                assert_eq!(auto["on"], json!(["screen", "sleep"]));
                return problem.to_owned();
            }
        }
    };
    let problem = patiently("the problem", told).await;
    assert!(problem.contains("logind"), "{problem}");
}
