//! What a person types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Sign in once, for every program of this machine.
#[derive(Debug, Parser)]
// Lines of the width of what reads them: the help is wrapped for the terminal.
#[command(name = "valetkey", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// How to print: text for people, JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, display_order = LAST)]
    output: Format,
    /// As `--output json`: what many type first
    #[arg(long, global = true, hide = true, conflicts_with = "output")]
    json: bool,
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// How to print.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in, in a browser or with a code for another device
    Login(LoginArgs),
    /// Print an access token
    Token(TokenArgs),
    /// List who has signed in: to one application, or to any
    Accounts(AccountsArgs),
    /// Sign out
    Logout(LogoutArgs),
    /// List the applications that are open or configured; set their secrets
    Apps(AppsArgs),
    /// Tell what runs, and how the tokens are protected
    Status,
    /// Find what is wrong, and what to do about it
    Doctor,
    /// Print the path of the daemon's socket
    Path,
    /// Print what happens, while it happens
    Events,
    /// List who got what, and when
    Audit(AuditArgs),
    /// List which program may use which account; answer and revoke
    Grants(GrantsArgs),
    /// Drop keys and tokens from memory until the store is unlocked
    Lock {
        /// Where the daemon serves several users: the store of them all, which takes an administrator
        #[arg(long)]
        everybody: bool,
    },
    /// Unlock the store, with its passphrase from the terminal or from standard input
    Unlock,
    /// Tell where the key is that protects the store, and have another one
    Key {
        #[command(subcommand)]
        command: Option<KeyCommand>,
    },
    /// Move tokens in from another library, or out to one
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// Which application. Required by its commands, save for `accounts`.
#[derive(Args, Debug)]
pub struct AppArgs {
    /// Name of the application in the daemon's configuration
    #[arg(value_name = "APP", conflicts_with_all = OF_THE_COMMAND_LINE)]
    pub app: Option<String>,
    /// Client id of an application that is not in the configuration
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Its authority at Microsoft Entra ID, with the tenant
    #[arg(long, value_name = "URL", requires = "client_id", conflicts_with = "oidc_authority")]
    pub authority: Option<String>,
    /// Its authority anywhere else: the issuer of an OpenID Connect provider
    #[arg(long, value_name = "URL", requires = "client_id")]
    pub oidc_authority: Option<String>,
    /// Trust the authority's host, although it is none of Microsoft's: a private cloud, or an emulator
    #[arg(long, requires = "authority", conflicts_with = "oidc_authority")]
    pub no_validate_authority: bool,
    /// Do not ask Microsoft about the authority's host
    #[arg(long, requires = "authority", conflicts_with = "oidc_authority")]
    pub no_instance_discovery: bool,
}

/// For what the token is good.
#[derive(Args, Debug)]
pub struct ScopeArgs {
    /// Scope to ask for; repeat it, or separate several by spaces
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A resource's claims challenge, as JSON
    #[arg(long, value_name = "JSON")]
    pub claims: Option<String>,
}

impl ScopeArgs {
    /// One by one.
    pub fn scopes(&self) -> Vec<String> {
        self.scopes.iter().flat_map(|scopes| scopes.split_whitespace()).map(str::to_owned).collect()
    }
}

#[derive(Args, Debug)]
pub struct AuditArgs {
    /// How many records at most, the newest ones
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
}

#[derive(Args, Debug)]
pub struct GrantsArgs {
    #[command(subcommand)]
    pub command: Option<GrantsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// List what was said; so does `valetkey grants` alone
    List,
    /// Take a yes or a no back: the person is asked again
    Revoke {
        /// Which, by the first column of the list, or by as much of it as is not that of another
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Put the questions of programs to whoever sits at this terminal
    Watch,
}

#[derive(Args, Debug)]
pub struct LoginArgs {
    #[command(flatten)]
    pub app: AppArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Sign in on another device, with a code
    #[arg(long)]
    pub device_code: bool,
    /// Print the address instead of opening a browser
    #[arg(long, conflicts_with = "device_code")]
    pub no_browser: bool,
    /// User name to start with
    #[arg(long, value_name = "NAME")]
    pub login_hint: Option<String>,
    /// What the provider asks: login, select_account, consent, …
    #[arg(long, value_name = "PROMPT")]
    pub prompt: Option<String>,
    /// Seconds to wait for the sign-in
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
    /// Draw no QR code
    #[arg(long)]
    pub no_qr: bool,
}

#[derive(Args, Debug)]
pub struct TokenArgs {
    #[command(flatten)]
    pub app: AppArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// User name or home account id; needed when several have signed in
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Ask the provider, even though a token is at hand
    #[arg(long)]
    pub force_refresh: bool,
    /// Seconds that the token should still be good for: else a new one is fetched, good for as long as the provider says
    #[arg(long, value_name = "SECONDS")]
    pub min_validity: Option<u32>,
}

#[derive(Args, Debug)]
pub struct AccountsArgs {
    #[command(flatten)]
    pub app: AppArgs,
}

#[derive(Args, Debug)]
pub struct AppsArgs {
    #[command(subcommand)]
    pub command: Option<AppsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// Hand in a secret that the daemon's configuration refers to as `{ vault = "NAME" }`
    ///
    /// It is read from the terminal, unseen, or from standard input, and is kept encrypted in the daemon's store. Nothing
    /// prints it again.
    Secret {
        /// What the configuration calls it
        #[arg(value_name = "NAME")]
        name: String,
        /// Forget it instead
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Args, Debug)]
pub struct LogoutArgs {
    #[command(flatten)]
    pub app: AppArgs,
    /// User name or home account id; needed when several have signed in
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "all")]
    pub account: Option<String>,
    /// Sign everybody out
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Have another key, while the daemon goes on
    ///
    /// Without options it is the key that wraps the data keys, of the same provider. Passphrases are asked for, the old one
    /// first, or read from standard input, a line each.
    Rotate(KeyRotateArgs),
}

#[derive(Args, Debug)]
pub struct KeyRotateArgs {
    /// Have other data keys, and all records sealed anew
    #[arg(long)]
    pub data: bool,
    /// Who is to keep the wrapping key
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderName>,
    /// Choose another passphrase
    #[arg(long)]
    pub new_passphrase: bool,
    /// Know that a stolen disk gives more with that provider than with the one before
    #[arg(long, requires = "provider")]
    pub weaker: bool,
}

/// Who can keep a wrapping key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    Keyring,
    Credential,
    Passphrase,
    File,
}

impl ProviderName {
    /// As the daemon calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Credential => "credential",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Take over what MSAL, Azure CLI or an Azure Identity library cached; without arguments, list what is found and ask
    Import(CacheImportArgs),
    /// Write all tokens that programs share, in clear, as MSAL's libraries read them
    Export(CacheExportArgs),
}

#[derive(Args, Debug)]
pub struct CacheImportArgs {
    /// File that the other library keeps
    #[arg(conflicts_with_all = ["from", "keyring"])]
    pub file: Option<PathBuf>,
    /// Take every cache of this product that is found
    #[arg(long, value_enum, value_name = "PRODUCT", conflicts_with = "keyring")]
    pub from: Option<KnownProduct>,
    /// Attribute of the keyring item that the other library keeps; repeat it
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    pub keyring: Vec<(String, String)>,
}

/// Whose caches can be found by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KnownProduct {
    AzureCli,
    AzureIdentity,
}

#[derive(Args, Debug)]
pub struct CacheExportArgs {
    /// File to write, which must not exist yet; else standard output
    pub file: Option<PathBuf>,
    /// Know that the tokens are written in clear; there is no other way
    #[arg(long, required = true)]
    pub unencrypted: bool,
    /// Do not ask once more
    #[arg(long)]
    pub yes: bool,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    parts
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

/// What defines an application that is not in the configuration.
const OF_THE_COMMAND_LINE: [&str; 5] =
    ["client_id", "authority", "oidc_authority", "no_validate_authority", "no_instance_discovery"];

/// In the help, behind what a command's own options are, and before `--help`.
const LAST: usize = 900;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    the command line is wrong
  3    a person must sign in: `valetkey login`
  4    denied, by the person or by policy
  5    there is no daemon: none could be started, or it has ended
  130  interrupted

Results are printed to standard output, errors to standard error. With `--output json` an error is one line of JSON with \
`error`, `error_description` and `hint`; where to sign in is one with `verification_uri` and `user_code`, or with `auth_uri`.";
