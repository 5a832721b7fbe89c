//! The hand of a test, as far as it registers: users, applications, domains, and the machine.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::client::Client;
use super::control::Control;
use super::federation::FederatedDomain;
use super::jwt;
use super::managed_identity::{self, Machine};
use super::options::NewUser;
use super::state::User;
use super::tls::Tls;

impl Control {
    /// Creates a user, or replaces one.
    pub fn create_user(&self, user: NewUser) -> User {
        self.shared.lock().create_user(user)
    }

    /// All users by name.
    pub fn users(&self) -> Vec<User> {
        self.shared.lock().users.values().cloned().collect()
    }

    /// Registers an application, in place of one with the same id.
    pub fn register_client(&self, client: Client) {
        let mut state = self.shared.lock();
        state.clients.retain(|known| known.id != client.id);
        state.clients.push(client);
    }

    /// The registered applications.
    pub fn clients(&self) -> Vec<Client> {
        self.shared.lock().clients.clone()
    }

    /// Signs claims as a federated issuer would; `iat` and `exp` are set where they are absent.
    pub fn sign_assertion(&self, claims: Map<String, Value>) -> String {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        let mut all = Map::from_iter([
            ("iat".to_owned(), Value::from(now)),
            ("exp".to_owned(), Value::from(now.saturating_add(600))),
        ]);
        all.extend(claims);
        let token = jwt::sign(&state.key, &Value::Object(all));
        state.remember_secret("assertion", token)
    }

    /// Makes a domain a federated one, or says anew how it is.
    pub fn federate_domain(&self, domain: FederatedDomain) {
        let mut state = self.shared.lock();
        state.federated_domains.retain(|known| known.domain != domain.domain);
        state.federated_domains.push(domain);
    }

    /// The federated domains.
    pub fn federated_domains(&self) -> Vec<FederatedDomain> {
        self.shared.lock().federated_domains.clone()
    }

    /// The machine that managed identities belong to.
    pub fn machine(&self) -> Machine {
        self.shared.lock().machine.clone()
    }

    /// Replaces the machine.
    pub fn set_machine(&self, machine: Machine) {
        self.shared.lock().machine = machine;
    }

    /// By source of managed identities, the environment variables that a program must have to find it here.
    pub fn machine_environments(&self) -> BTreeMap<&'static str, BTreeMap<&'static str, String>> {
        managed_identity::environments(&self.shared.lock())
    }

    /// Where the emulator speaks TLS, if it does.
    pub fn tls(&self) -> Option<Tls> {
        self.shared.lock().tls.clone()
    }
}
