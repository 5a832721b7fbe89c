//! What an emulator is started with, and the settings that a test may change while it runs.

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::federation::FederatedDomain;
use super::managed_identity::Machine;
use super::scenario::Scenario;

/// The tenant that most default users belong to, `contoso.com`.
pub const CONTOSO: &str = "c0a70500-0000-4000-8000-00000000c001";
/// A second organisation, `fabrikam.com`.
pub const FABRIKAM: &str = "fab41ca0-0000-4000-8000-00000000f001";
/// Entra's tenant of personal accounts.
pub const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The password of every user who was created without one.
pub const PASSWORD: &str = "Passw0rd!";

/// How to start an emulator. `Options::default()` suits most tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The generic OpenID Connect personality in place of Entra's.
    pub generic_oidc: bool,
    /// What documents name instead of the loopback URL, for a client that maps this URL to the emulator.
    pub public_url: Option<String>,
    /// Makes every code, token and key reproducible.
    pub seed: Option<u64>,
    /// Who can sign in.
    pub users: Vec<NewUser>,
    /// Organisations beside the personal accounts' tenant.
    pub tenants: Vec<Tenant>,
    /// Registered applications.
    pub clients: Vec<Client>,
    /// Whether an application that is not registered counts as a public one (else AADSTS700016).
    pub accept_any_client: bool,
    /// Hosts that instance discovery vouches for, beside Microsoft's and the emulator's own.
    pub trusted_hosts: Vec<String>,
    /// Domains whose users sign in at the emulated ADFS.
    pub federated_domains: Vec<FederatedDomain>,
    /// The port where TLS is served too, 0 for a free one; documents then name it unless there is a public URL. MSAL
    /// leaves a port out of the user realm's URL and a region's, which therefore want 443.
    pub tls_port: Option<u16>,
    /// The machine that managed identities belong to.
    pub machine: Machine,
    /// What can be changed later.
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        let tenant = |id: &str, name: &str, domains: &[&str]| Tenant {
            id: id.to_owned(),
            name: name.to_owned(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        };
        Self {
            port: 0,
            generic_oidc: false,
            public_url: None,
            seed: None,
            users: ["alice@contoso.com", "bob@contoso.com"].map(NewUser::named).to_vec(),
            tenants: vec![
                tenant(
                    CONTOSO,
                    "Contoso",
                    &["contoso.com", "contoso.onmicrosoft.com", "adfs.contoso.com"],
                ),
                tenant(FABRIKAM, "Fabrikam", &["fabrikam.com", "fabrikam.onmicrosoft.com"]),
            ],
            clients: Vec::new(),
            accept_any_client: true,
            trusted_hosts: Vec::new(),
            federated_domains: vec![FederatedDomain::named("adfs.contoso.com")],
            tls_port: None,
            machine: Machine::default(),
            settings: Settings::default(),
        }
    }
}

/// An organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tenant {
    /// Its GUID.
    pub id: String,
    /// The name that pages show.
    pub name: String,
    /// Domain names that stand for the GUID in an authority, and after the `@` of its users.
    pub domains: Vec<String>,
}

/// A user to create.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewUser {
    /// The user name: `alice@contoso.com`.
    pub name: String,
    /// The name that pages and ID tokens show; made from the user name when absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Tenants beside the home tenant that know the user as a guest.
    #[serde(default)]
    pub guest_of: Vec<String>,
    /// What the password grant asks for; [`PASSWORD`] when absent.
    #[serde(default)]
    pub password: Option<String>,
    /// What goes wrong for this user; when absent the part before the `@` may name one, as in `mfa@contoso.com`.
    #[serde(default)]
    pub scenario: Option<Scenario>,
}

impl NewUser {
    /// A user with nothing special.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            display_name: None,
            guest_of: Vec::new(),
            password: None,
            scenario: None,
        }
    }
}

/// Lifetimes and switches, in seconds where they are numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Of access and ID tokens.
    pub access_token_lifetime: i64,
    /// Of managed identities' tokens.
    pub managed_identity_token_lifetime: i64,
    /// When a client should refresh ahead of need; not sent when absent.
    pub refresh_in: Option<i64>,
    /// Of refresh tokens.
    pub refresh_token_lifetime: i64,
    /// Of authorization codes.
    pub code_lifetime: i64,
    /// Of device codes.
    pub device_code_lifetime: i64,
    /// The least time between two polls.
    pub device_interval: i64,
    /// What a used refresh token is worth.
    pub rotation: Rotation,
    /// Whether a person must agree to each new scope, and a silent request for one is refused.
    pub ask_consent: bool,
    /// Whether the authorization response carries `iss` (RFC 9207).
    pub authorization_response_iss: bool,
    /// Whether a client assertion is good for one request only (RFC 7523 section 3, point 7). Entra admits reuse, and
    /// MSAL counts on it.
    pub refuse_assertion_replay: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_lifetime: 3_600,
            managed_identity_token_lifetime: 86_400,
            refresh_in: None,
            refresh_token_lifetime: 90 * 86_400,
            code_lifetime: 600,
            device_code_lifetime: 900,
            device_interval: 5,
            rotation: Rotation::Keep,
            ask_consent: false,
            authorization_response_iss: false,
            refuse_assertion_replay: false,
        }
    }
}

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It stays valid beside the new one, as at Entra.
    Keep,
    /// It is spent. Used again within the grace period it yields the same successor; later, the whole family is revoked.
    Rotate {
        /// How long an answer that was lost may be asked for again.
        grace_seconds: i64,
    },
}
