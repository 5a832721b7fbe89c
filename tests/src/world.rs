//! A machine and a provider.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use valetkey_testkit::entra::{Control, EntraEmulator, Options};

use crate::caller::Caller;
use crate::machine::Machine;

/// A user of the emulator.
pub const ALICE: &str = "alice@contoso.com";
/// Another one.
pub const BOB: &str = "bob@contoso.com";
/// The application that tests sign in to when they do not care.
pub const CLIENT_ID: &str = "5e1fa8b2-0000-4000-8000-00000000da7a";
/// The scope that they ask for.
pub const SCOPE: &str = "https://graph.contoso.com/Mail.Read";

/// A machine whose daemon runs, and an emulated Entra ID.
pub struct World {
    /// The machine.
    pub machine: Machine,
    /// The provider.
    pub entra: EntraEmulator,
}

impl World {
    /// With the defaults of both, but for device codes that may be asked about every second.
    pub async fn start() -> Self {
        Self::with(Machine::new(), Options::default()).await
    }

    /// Of these.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn with(mut machine: Machine, options: Options) -> Self {
        machine.launch().await;
        Self::of(machine, options).await
    }

    /// Of a machine as it is.
    ///
    /// # Panics
    /// When the emulator does not start.
    pub async fn of(machine: Machine, mut options: Options) -> Self {
        options.settings.device_interval = 1;
        let entra = EntraEmulator::start(options).await.expect("the emulator listens");
        Self { machine, entra }
    }

    /// The hand of the test at the provider.
    pub fn control(&self) -> &Control {
        self.entra.control()
    }

    /// What defines the application. The emulator's host is none that Microsoft's instance discovery knows.
    pub fn definition(&self) -> Value {
        json!({
            "client_id": CLIENT_ID,
            "authority": self.entra.authority("common"),
            "validate_authority": false,
        })
    }

    /// A program that has opened the application.
    pub async fn caller(&self) -> Caller {
        Caller::open(self.machine.connect().await, &self.definition()).await
    }

    /// A program, after somebody has signed in through it.
    pub async fn signed_in(&self, user: &str) -> Caller {
        let mut caller = self.caller().await;
        caller.sign_in(self.control(), user).await;
        caller
    }

    /// A user whom nobody has used before.
    pub fn new_user(&self) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("user{number}@contoso.com");
        self.control().create_user(valetkey_testkit::entra::NewUser::named(&name));
        name
    }
}
