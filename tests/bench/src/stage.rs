//! What all rows play on: a temporary folder, a provider, and a store in which one person has signed in.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use valetkey_client::blocking;
use valetkey_client::v1::{FlowKind, OpenAppRequest, StartFlowRequest, TokenRequest};
use valetkey_testkit::entra::{EntraEmulator, Options, Rotation, Settings};

use crate::Outcome;
use crate::daemon::Daemon;

/// The client id of the application that asks.
pub(crate) const CLIENT_ID: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
/// What it asks for.
pub(crate) const SCOPE: &str = "User.Read";
/// Who has signed in.
const PERSON: &str = "alice@contoso.com";
/// Longer than any run, so that no token is refreshed ahead of need.
pub(crate) const DAY: i64 = 86_400;

/// See the module.
pub(crate) struct Stage {
    pub(crate) provider: EntraEmulator,
    /// The provider's; what is measured runs outside of it.
    _runtime: Runtime,
    folder: TempDir,
}

impl Stage {
    /// An empty folder and a provider.
    pub(crate) fn open() -> Outcome<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let settings = Settings {
            rotation: Rotation::Rotate { grace_seconds: 10 },
            device_interval: 1,
            access_token_lifetime: DAY,
            ..Settings::default()
        };
        let provider =
            runtime.block_on(EntraEmulator::start(Options { settings, ..Options::default() }))?;
        let folder = tempfile::Builder::new().prefix("valetkey-bench-").tempdir()?;
        let stage = Self { provider, _runtime: runtime, folder };
        stage.write_config()?;
        Ok(stage)
    }

    /// A folder of its own for one purpose, for this user alone.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        use std::os::unix::fs::DirBuilderExt as _;

        let path = self.folder.path().join(name);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(path)
    }

    /// A daemon on the store of this name.
    pub(crate) fn start_daemon(&self, name: &str) -> Outcome<Daemon> {
        Daemon::start(&self.folder(name)?, &self.config())
    }

    /// The same, without waiting until it listens.
    pub(crate) fn spawn_daemon(&self, name: &str) -> Outcome<Daemon> {
        Daemon::spawn(&self.folder(name)?, &self.config())
    }

    /// A daemon on a store in which the person has signed in and nothing else is.
    pub(crate) fn start_signed_in(&self, name: &str) -> Outcome<Daemon> {
        crate::fill::copy_store(&self.seed()?, &self.folder(name)?.join("state"))?;
        self.start_daemon(name)
    }

    /// The store in which the person has signed in; made when it is first asked for. Nobody has it open.
    pub(crate) fn seed(&self) -> Outcome<PathBuf> {
        let state = self.folder("seed")?.join("state");
        if !state.is_dir() {
            let daemon = self.start_daemon("seed")?;
            self.sign_in(&daemon)?;
            daemon.stop()?;
        }
        Ok(state)
    }

    /// Signs the person in.
    pub(crate) fn sign_in(&self, daemon: &Daemon) -> Outcome {
        let client = daemon.client();
        let app = client.open_app(self.definition())?;
        let flow =
            app.start_flow(&StartFlowRequest::new(FlowKind::DeviceCode, vec![SCOPE.to_owned()]))?;
        let device = flow.device.as_ref().ok_or("the flow has no device code")?;
        let code = device.get("user_code").and_then(|code| code.as_str());
        self.provider.control().approve_device(code.ok_or("no user code")?, PERSON)?;
        client.finish_flow(flow)?;
        Ok(())
    }

    /// The application, opened.
    pub(crate) fn open_app(&self, client: &blocking::Client) -> Outcome<blocking::App> {
        Ok(client.open_app(self.definition())?)
    }

    /// What defines the application.
    pub(crate) fn definition(&self) -> OpenAppRequest {
        OpenAppRequest {
            client_id: Some(CLIENT_ID.to_owned()),
            authority: Some(self.authority()),
            // The emulator is not on Microsoft's list of hosts.
            validate_authority: Some(false),
            ..OpenAppRequest::default()
        }
    }

    pub(crate) fn authority(&self) -> String {
        self.provider.authority("organizations")
    }

    /// How many refreshes the provider has answered.
    pub(crate) fn refreshes(&self) -> u64 {
        self.provider.control().counters().get("refresh_token").map_or(0, |count| count.answered)
    }

    /// Lets access tokens live this long from now on.
    pub(crate) fn set_lifetime(&self, seconds: i64) {
        let control = self.provider.control();
        control.set_settings(Settings { access_token_lifetime: seconds, ..control.settings() });
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// The same application by a name, for the command.
    fn write_config(&self) -> Outcome {
        let text = format!(
            "[apps.bench]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{}\"\nvalidate_authority = false\nscopes = [\"{SCOPE}\"]\n",
            self.authority()
        );
        write_file(&self.config(), text.as_bytes())
    }
}

/// The token at hand.
pub(crate) fn silent() -> TokenRequest {
    TokenRequest { scopes: vec![SCOPE.to_owned()], ..TokenRequest::default() }
}

/// Writes a file that did not exist.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Outcome {
    let mut file = std::fs::File::create_new(path)?;
    Ok(std::io::Write::write_all(&mut file, content)?)
}
