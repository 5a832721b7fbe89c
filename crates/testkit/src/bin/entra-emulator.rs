//! The Entra emulator as a program: one line of JSON when it is ready, then it serves until its input closes.
//!
//! A test in another language starts it, reads the line, and drives it through `/_emulator/`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tokio::sync::oneshot;
use valetkey_testkit::entra::{
    Certificate, Client, EntraEmulator, FederatedDomain, Machine, NewUser, Options, Rotation,
    Settings,
};

/// A Microsoft Entra ID on a loopback port, for tests and demonstrations.
///
/// Prints {"base_url", "authority"} when it is ready; stops when standard input closes, on Ctrl-C and on SIGTERM.
#[derive(Parser)]
#[command(version, after_long_help = EMULATED)]
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
    /// A confidential client and its secret
    #[arg(long = "client-secret", value_name = "ID=SECRET", num_args = 1.., value_parser = read_pair)]
    client_secrets: Vec<(String, String)>,
    /// A confidential client and the PEM file of its certificate
    #[arg(long = "client-certificate", value_name = "ID=FILE", num_args = 1.., value_parser = read_pair)]
    client_certificates: Vec<(String, String)>,
    /// Domains whose users sign in at the emulated ADFS, beside adfs.contoso.com
    #[arg(long = "federated-domain", value_name = "NAME", num_args = 1..)]
    federated_domains: Vec<String>,
    /// Speak TLS on a second port, which documents then name, and write its certificate (PEM) to this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Port for TLS; a free one by default, but MSAL's password grant and regions need 443
    #[arg(long, value_name = "PORT", default_value_t = 0, requires = "tls")]
    tls_port: u16,
    /// The region of the machine that managed identities belong to
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Where Azure Arc's challenges put their key files
    #[arg(long, value_name = "FOLDER")]
    arc_key_folder: Option<PathBuf>,
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

/// What `--help` says at its end.
const EMULATED: &str = "\
What is emulated, below the base URL:
  /TENANT/v2.0           Entra, with the grants authorization_code, refresh_token, device_code,
                         client_credentials, password, jwt-bearer (on behalf of), user_fic,
                         saml1_1-bearer and saml2-bearer; clients prove themselves by secret,
                         certificate or federated token; token_type=pop binds a token to a key
  /TENANT/b2c_1_NAME     B2C; /adfs is an ADFS, /dstsv2/NAME a dSTS
  REGION.localhost       the regional hosts, seen as \"region\" in the log
  /common/userrealm      who is federated: users of adfs.contoso.com, whose password buys an
                         assertion at /adfs/services/trust (WS-Trust 2005 and 1.3)
  /metadata, /msi, /MSI  managed identities: IMDS, App Service, Machine Learning, Azure Arc,
                         Service Fabric, Cloud Shell
Each user's password is Passw0rd!, and the pages ask for none.

To see and change it while it runs, with JSON:
  GET  /_emulator/clients, users, federated-domains, settings: what is registered and set
  GET  /_emulator/machine     the environment variables that lead to the managed identities
  GET  /_emulator/log         what was asked
  POST /_emulator/device      {\"user_code\": \"CODE\", \"user\": \"alice@contoso.com\"}; without
                               \"user\" somebody says no
  POST /_emulator/authorize   {\"url\": \"URL\", \"user\": \"alice@contoso.com\"}: the redirect that
                               the page would end in
  POST /_emulator/clients     {\"id\": \"ID\", \"secret\": \"SECRET\"}
  POST /_emulator/assertions  claims, to be signed as a federated issuer would
  POST /_emulator/signed-requests  {\"signed\": \"...\"}: what a resource makes of a PoP token
  POST /_emulator/faults      {\"endpoint\": \"managed_identity\", \"times\": 2,
                               \"effect\": {\"answer\": {\"status\": 500}}}

A program that insists on https, such as MSAL for Python:
  entra-emulator --tls /tmp/emulator.pem --tls-port 443 --client-secret ID=SECRET
  with REQUESTS_CA_BUNDLE=/tmp/emulator.pem, authority=https://localhost/contoso.com and
  instance_discovery=False";

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
    let certificate_file = arguments.tls.clone();
    let emulator = EntraEmulator::start(arguments.into_options()?).await?;
    // Before the line: whoever read it may send the signal at once.
    let stop = asked_to_stop()?;
    let mut ready =
        json!({"base_url": emulator.base_url(), "authority": emulator.authority("common")});
    if let (Some(tls), Some(file)) = (emulator.control().tls(), certificate_file) {
        File::create(file)?.write_all(tls.certificate.as_bytes())?;
        ready["authority"] = json!(format!("{}/common", tls.base_url));
        ready["tls"] = json!({"base_url": tls.base_url, "thumbprint": tls.thumbprint});
    }
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

fn read_pair(text: &str) -> Result<(String, String), &'static str> {
    let (id, value) = text.split_once('=').ok_or("expected ID=VALUE")?;
    Ok((id.to_owned(), value.to_owned()))
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
    fn into_options(self) -> std::io::Result<Options> {
        let clients = self.read_clients()?;
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
        let mut machine = Machine { arc_key_folder: self.arc_key_folder, ..defaults.machine };
        machine.region = self.region.unwrap_or(machine.region);
        let federated = self.federated_domains.iter().map(|name| FederatedDomain::named(name));
        let users: Vec<NewUser> = self.users.iter().map(|name| NewUser::named(name)).collect();
        Ok(Options {
            port: self.port,
            generic_oidc: self.generic_oidc,
            public_url: self.public_url,
            seed: self.seed,
            users: if users.is_empty() { defaults.users } else { users },
            clients,
            federated_domains: defaults.federated_domains.into_iter().chain(federated).collect(),
            tls_port: self.tls.is_some().then_some(self.tls_port),
            machine,
            settings,
            ..defaults
        })
    }

    /// One client per id, with all that is said of it.
    fn read_clients(&self) -> std::io::Result<Vec<Client>> {
        let mut clients = BTreeMap::<&str, Client>::new();
        for (id, secret) in &self.client_secrets {
            clients.entry(id).or_default().secret = Some(secret.clone());
        }
        for (id, file) in &self.client_certificates {
            let pem = std::fs::read_to_string(file)
                .map_err(|error| std::io::Error::new(error.kind(), format!("{file}: {error}")))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|error| std::io::Error::other(format!("{file}: {error}")))?;
            clients.entry(id).or_default().certificates.push(certificate);
        }
        for id in &self.family_clients {
            clients.entry(id).or_default().family = true;
        }
        let with_id = |(id, client)| Client { id: str::to_owned(id), ..client };
        Ok(clients.into_iter().map(with_id).collect())
    }
}
