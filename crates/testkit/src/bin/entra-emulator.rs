//! The Entra emulator as a program: one line of JSON when it is ready, then it serves until its input closes.
//!
//! A test in another language starts it, reads the line, and drives it through `/_emulator/`.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tokio::sync::oneshot;
use valetkey_testkit::entra::{Client, EntraEmulator, NewUser, Options, Rotation, Settings};

/// A Microsoft Entra ID on a loopback port, for tests and demonstrations.
///
/// Prints {"base_url", "authority"} when it is ready; stops when standard input closes, on Ctrl-C and on SIGTERM.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port on 127.0.0.1; a free one by default
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Lifetime of access tokens in seconds
    #[arg(long, value_name = "SECONDS")]
    access_token_lifetime: Option<i64>,
    /// Tell clients to refresh after this many seconds
    #[arg(long, value_name = "SECONDS")]
    refresh_in: Option<i64>,
    /// Spend refresh tokens; one used again after this many seconds revokes its family
    #[arg(long, value_name = "GRACE")]
    rotate: Option<i64>,
    /// Seconds between two polls of a device code
    #[arg(long, value_name = "SECONDS")]
    device_interval: Option<i64>,
    /// Users in place of alice and bob; mfa@contoso.com and the like bring their trouble along
    #[arg(long = "user", value_name = "NAME", num_args = 1..)]
    users: Vec<String>,
    /// Client ids that share family refresh tokens
    #[arg(long = "family-client", value_name = "ID", num_args = 1..)]
    family_clients: Vec<String>,
    /// Make codes, tokens and keys reproducible
    #[arg(long)]
    seed: Option<u64>,
    /// Be a plain OpenID Connect provider
    #[arg(long)]
    generic_oidc: bool,
    /// Ask people to agree to scopes
    #[arg(long)]
    consent: bool,
    /// Send `iss` with authorization responses (RFC 9207)
    #[arg(long)]
    iss: bool,
    /// The URL that documents name, for clients that map it to the emulator
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("entra-emulator: failed to start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    let emulator = EntraEmulator::start(arguments.into_options()).await?;
    // Before the line: whoever read it may send the signal at once.
    let stop = asked_to_stop()?;
    let ready = json!({"base_url": emulator.base_url(), "authority": emulator.authority("common")});
    // Flushed, since a pipe would keep the line until the end.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    tokio::select! {
        _ = input_closed() => Ok(()),
        result = stop => result,
    }
}

/// A plain thread reads: tokio's would hold up the exit until the next line.
fn input_closed() -> oneshot::Receiver<()> {
    let (closed, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 256];
        while stdin.read(&mut buffer).is_ok_and(|read| read > 0) {}
        // The receiver is gone when a signal came first.
        let _ = closed.send(());
    });
    receiver
}

#[cfg(unix)]
fn asked_to_stop() -> std::io::Result<impl Future<Output = std::io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

#[cfg(not(unix))]
fn asked_to_stop() -> std::io::Result<impl Future<Output = std::io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}

impl Arguments {
    fn into_options(self) -> Options {
        let defaults = Options::default();
        let settings = Settings {
            access_token_lifetime: self
                .access_token_lifetime
                .unwrap_or(defaults.settings.access_token_lifetime),
            refresh_in: self.refresh_in,
            rotation: self
                .rotate
                .map_or(Rotation::Keep, |grace_seconds| Rotation::Rotate { grace_seconds }),
            device_interval: self.device_interval.unwrap_or(defaults.settings.device_interval),
            ask_consent: self.consent,
            authorization_response_iss: self.iss,
            ..defaults.settings
        };
        let family = |id| Client { id, family: true, ..Client::default() };
        let users: Vec<NewUser> = self.users.iter().map(|name| NewUser::named(name)).collect();
        Options {
            port: self.port,
            generic_oidc: self.generic_oidc,
            public_url: self.public_url,
            seed: self.seed,
            users: if users.is_empty() { defaults.users } else { users },
            clients: self.family_clients.into_iter().map(family).collect(),
            settings,
            ..defaults
        }
    }
}
