//! Everything the emulator knows.

use std::collections::{BTreeMap, HashMap, HashSet};

use p256::ecdsa::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authorize::{Code, PendingAuthorization};
use super::client::Client;
use super::clock::EmulatorClock;
use super::device::Device;
use super::error::Refusal;
use super::faults::Faults;
use super::federation::FederatedDomain;
use super::grants::Grants;
use super::jwt;
use super::log::Log;
use super::managed_identity::{ArcKeys, Machine};
use super::options::{CONSUMERS, NewUser, Options, PASSWORD, Settings, Tenant};
use super::random::{Random, derive_uuid};
use super::scenario::Scenario;
use super::tls::Tls;
use super::ws_trust::IssuedAssertion;

/// The whole state behind one lock; no handler awaits while it holds it.
pub(crate) struct State {
    /// What documents name: `Options::public_url`, the TLS port or the loopback URL.
    pub(crate) base_url: String,
    pub(crate) loopback_url: String,
    pub(crate) tls: Option<Tls>,
    pub(crate) generic_oidc: bool,
    pub(crate) settings: Settings,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) clients: Vec<Client>,
    pub(crate) accept_any_client: bool,
    pub(crate) trusted_hosts: Vec<String>,
    pub(crate) federated_domains: Vec<FederatedDomain>,
    pub(crate) machine: Machine,
    /// What App Service, Machine Learning and Service Fabric give to their programs.
    pub(crate) machine_secret: String,
    pub(crate) arc_keys: ArcKeys,
    /// By user name in lower case.
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) scope_scenarios: HashMap<String, Scenario>,
    /// Object id, client id, scope.
    pub(crate) consents: HashSet<(String, String, String)>,
    /// Browser sessions by cookie.
    pub(crate) sessions: HashMap<String, Vec<SignedIn>>,
    pub(crate) pending: HashMap<String, PendingAuthorization>,
    pub(crate) codes: HashMap<String, Code>,
    /// By device code.
    pub(crate) devices: HashMap<String, Device>,
    pub(crate) grants: Grants,
    /// The federation service's assertions, by their text.
    pub(crate) assertions: HashMap<String, IssuedAssertion>,
    /// What the sign-in behind an access token presented, by the token's `uti`.
    pub(crate) presented_claims: HashMap<String, Value>,
    /// Client id and `jti`, with the time until which they are remembered.
    pub(crate) used_assertions: HashMap<(String, String), i64>,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    pub(crate) counters: BTreeMap<String, GrantCount>,
    pub(crate) secrets: Vec<IssuedSecret>,
    pub(crate) revocations: Vec<Revocation>,
    pub(crate) clock: EmulatorClock,
    pub(crate) random: Random,
    pub(crate) key: SigningKey,
}

/// A user in the directory.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The name that pages show.
    pub display_name: String,
    /// `oid` in the home tenant, and `uid` of the home account id.
    pub object_id: String,
    /// `utid` of the home account id.
    pub home_tenant: String,
    /// Tenants that know the user as a guest.
    pub guest_of: Vec<String>,
    /// What the password grant and the federation service ask for; the pages take any name without.
    pub password: String,
    /// What goes wrong for this user.
    pub scenario: Option<Scenario>,
}

/// One user's sign-in in one browser.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) user: String,
    pub(crate) auth_time: i64,
}

/// How often a grant was answered with tokens and how often refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantCount {
    /// Answers with status 200.
    pub answered: u64,
    /// All others.
    pub refused: u64,
}

/// Something that must never show up in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedSecret {
    /// `access_token`, `refresh_token`, `id_token`, `code`, `device_code`, `user_code`, `assertion`.
    pub kind: String,
    /// The secret itself.
    pub value: String,
}

/// A request to the revocation endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The token named.
    pub token: String,
    /// Whether it was a live refresh token, which now is dead.
    pub revoked: bool,
}

impl State {
    pub(crate) fn new(
        options: Options,
        loopback_url: &str,
        tls: Option<Tls>,
    ) -> std::io::Result<Self> {
        let mut random = match options.seed {
            Some(seed) => Random::from_seed(seed),
            None => Random::from_os()?,
        };
        let key = jwt::generate_key(&mut random);
        let machine_secret = random.next_text(1);
        let tls_url = tls.as_ref().map(|tls| tls.base_url.clone());
        let base_url = options.public_url.or(tls_url).unwrap_or_else(|| loopback_url.to_owned());
        let mut state = Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            loopback_url: loopback_url.to_owned(),
            tls,
            generic_oidc: options.generic_oidc,
            settings: options.settings,
            tenants: options.tenants,
            clients: options.clients,
            accept_any_client: options.accept_any_client,
            trusted_hosts: options.trusted_hosts,
            federated_domains: options.federated_domains,
            machine: options.machine,
            machine_secret,
            arc_keys: ArcKeys::new(),
            users: BTreeMap::new(),
            scope_scenarios: HashMap::new(),
            consents: HashSet::new(),
            sessions: HashMap::new(),
            pending: HashMap::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            grants: Grants::default(),
            assertions: HashMap::new(),
            presented_claims: HashMap::new(),
            used_assertions: HashMap::new(),
            faults: Faults::default(),
            log: Log::default(),
            counters: BTreeMap::new(),
            secrets: Vec::new(),
            revocations: Vec::new(),
            clock: EmulatorClock::default(),
            random,
            key,
        };
        for user in options.users {
            state.create_user(user);
        }
        Ok(state)
    }

    /// Creates a user, or replaces the one of the same name (who then has a new object id).
    pub(crate) fn create_user(&mut self, new: NewUser) -> User {
        let home_tenant = self.home_tenant_of(&new.name);
        let mut object_id = self.random.next_uuid();
        if home_tenant == CONSUMERS {
            // Personal accounts have 64-bit identifiers, padded on the left.
            object_id.replace_range(..18, "00000000-0000-0000");
        }
        let user = User {
            display_name: new.display_name.unwrap_or_else(|| name_from(&new.name)),
            object_id,
            home_tenant,
            guest_of: new.guest_of,
            password: new.password.unwrap_or_else(|| PASSWORD.to_owned()),
            scenario: new.scenario.or_else(|| Scenario::from_user_name(&new.name)),
            name: new.name,
        };
        self.users.insert(user.name.to_lowercase(), user.clone());
        user
    }

    pub(crate) fn find_user(&self, name: &str) -> Option<&User> {
        self.users.get(&name.trim().to_lowercase())
    }

    /// The application, registered or taken as a public one.
    pub(crate) fn find_client(&self, id: &str) -> Result<Client, Refusal> {
        if let Some(client) = self.clients.iter().find(|client| client.id == id) {
            return Ok(client.clone());
        }
        if self.accept_any_client {
            return Ok(Client { id: id.to_owned(), ..Client::default() });
        }
        let text = format!("The directory has no application '{id}'.");
        Err(Refusal::new("unauthorized_client", 700_016, text))
    }

    /// Remembers a secret for the tests that search logs, and hands it back.
    pub(crate) fn remember_secret(&mut self, kind: &str, value: String) -> String {
        self.secrets.push(IssuedSecret { kind: kind.to_owned(), value: value.clone() });
        value
    }

    fn home_tenant_of(&self, user_name: &str) -> String {
        let domain = user_name.rsplit('@').next().unwrap_or("").to_lowercase();
        if ["outlook.com", "hotmail.com", "live.com"].contains(&domain.as_str()) {
            return CONSUMERS.to_owned();
        }
        let of_domain = self.tenants.iter().find(|tenant| tenant.domains.contains(&domain));
        of_domain
            .or(self.tenants.first())
            .map_or_else(|| CONSUMERS.to_owned(), |tenant| tenant.id.clone())
    }
}

impl User {
    /// `oid`: a guest has another one in each tenant.
    pub(crate) fn object_id_in(&self, tenant_id: &str) -> String {
        if tenant_id == self.home_tenant {
            return self.object_id.clone();
        }
        derive_uuid(&[&self.object_id, tenant_id])
    }
}

/// `Alice Smith` of `alice.smith@contoso.com`.
fn name_from(user_name: &str) -> String {
    let local_part = user_name.split('@').next().unwrap_or("");
    let words = local_part.split(['.', '-', '_']).filter(|word| !word.is_empty());
    let capitalized = words.map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    capitalized.collect::<Vec<String>>().join(" ")
}
