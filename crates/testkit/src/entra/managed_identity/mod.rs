//! The machine that programs believe to run on: managed identities as IMDS, App Service, Machine Learning, Azure Arc,
//! Service Fabric and Cloud Shell hand them out, each in its dialect.
//!
//! IMDS, Arc and Service Fabric share a path; the `api-version` tells them apart.

mod app_service;
mod arc;
mod imds;
mod service_fabric;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::arc::ArcKeys;
pub(crate) use self::imds::describe_compute;
use super::jwt;
use super::message::{Params, Reply, Request};
use super::options::CONTOSO;
use super::state::State;

/// What is assigned to the machine and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Machine {
    /// Whether it has an identity of its own.
    pub system_assigned: bool,
    /// The identities that were assigned to it.
    pub user_assigned: Vec<UserAssignedIdentity>,
    /// `location` of its compute metadata.
    pub region: String,
    /// Where Azure Arc puts the key files of its challenges. Arc refuses when absent: a client looks into
    /// `/var/opt/azcmagent/tokens` alone, and only who starts the emulator knows how to bring it to look elsewhere.
    pub arc_key_folder: Option<PathBuf>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            system_assigned: true,
            user_assigned: Vec::new(),
            region: "westeurope".to_owned(),
            arc_key_folder: None,
        }
    }
}

/// A managed identity that exists apart from a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserAssignedIdentity {
    /// `client_id`
    pub client_id: String,
    /// `object_id`, also the subject of its tokens.
    pub object_id: String,
    /// `msi_res_id` and `mi_res_id`: its path in Azure.
    pub resource_id: String,
}

/// Why no token is issued; each source has its own words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    NoResource,
    NoSuchIdentity,
}

/// A token for a managed identity, with what the dialects tell about it.
struct IssuedToken {
    access_token: String,
    resource: String,
    expires_at: i64,
    lifetime: i64,
    identity: UserAssignedIdentity,
}

/// Answers at the path of any source.
pub(crate) fn answer(state: &mut State, request: &Request) -> Reply {
    let version = request.query.get("api-version").unwrap_or("");
    match request.path.trim_matches('/') {
        "msi/token" => app_service::answer(state, request, app_service::Dialect::AppService),
        "MSI/auth" => app_service::answer(state, request, app_service::Dialect::MachineLearning),
        "oauth2/token" => imds::answer_cloud_shell(state, request),
        _ if version == "2019-07-01-preview" => service_fabric::answer(state, request),
        _ if ["2019-11-01", "2020-06-01"].contains(&version) => arc::answer(state, request),
        _ => imds::answer(state, request),
    }
}

/// The environment variables by which a program finds each source.
pub(crate) fn environments(
    state: &State,
) -> BTreeMap<&'static str, BTreeMap<&'static str, String>> {
    let (base, secret) = (&state.loopback_url, &state.machine_secret);
    let imds_path = "metadata/identity/oauth2/token";
    let mut sources = BTreeMap::from([
        ("imds", BTreeMap::from([("AZURE_POD_IDENTITY_AUTHORITY_HOST", base.clone())])),
        (
            "app_service",
            BTreeMap::from([
                ("IDENTITY_ENDPOINT", format!("{base}/msi/token")),
                ("IDENTITY_HEADER", secret.clone()),
            ]),
        ),
        (
            "machine_learning",
            BTreeMap::from([
                ("MSI_ENDPOINT", format!("{base}/MSI/auth")),
                ("MSI_SECRET", secret.clone()),
            ]),
        ),
        (
            "azure_arc",
            BTreeMap::from([
                ("IDENTITY_ENDPOINT", format!("{base}/{imds_path}")),
                ("IMDS_ENDPOINT", base.clone()),
            ]),
        ),
        (
            "cloud_shell",
            BTreeMap::from([
                ("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0".to_owned()),
                ("MSI_ENDPOINT", format!("{base}/oauth2/token")),
            ]),
        ),
    ]);
    if let Some(tls) = &state.tls {
        let service_fabric = BTreeMap::from([
            ("IDENTITY_ENDPOINT", format!("{}/{imds_path}", tls.base_url)),
            ("IDENTITY_HEADER", secret.clone()),
            ("IDENTITY_SERVER_THUMBPRINT", tls.thumbprint.clone()),
        ]);
        sources.insert("service_fabric", service_fabric);
    }
    sources
}

/// Issues a token for the identity that the parameters name; `names` are the source's words for client, resource and
/// object id.
fn issue(state: &mut State, params: &Params, names: [&str; 3]) -> Result<IssuedToken, Denial> {
    let resource = params.get("resource").ok_or(Denial::NoResource)?.to_owned();
    let identity = find_identity(&state.machine, params, names).ok_or(Denial::NoSuchIdentity)?;
    let (now, lifetime) = (state.clock.now(), state.settings.managed_identity_token_lifetime);
    let expires_at = now.saturating_add(lifetime);
    let tenant_id = state.tenants.first().map_or(CONTOSO, |tenant| tenant.id.as_str());
    let mut claims = json!({
        "aud": resource,
        "iss": format!("{}/{tenant_id}/v2.0", state.base_url),
        "iat": now,
        "nbf": now,
        "exp": expires_at,
        "azp": identity.client_id,
        "azpacr": "2",
        "idtyp": "app",
        "oid": identity.object_id,
        "sub": identity.object_id,
        "tid": tenant_id,
        "xms_mirid": identity.resource_id,
    });
    claims["uti"] = json!(state.random.next_text(1));
    if let Some(capabilities) = params.get("xms_cc") {
        claims["xms_cc"] = capabilities.split(',').collect::<Vec<&str>>().into();
    }
    let token = jwt::sign(&state.key, &claims);
    let access_token = state.remember_secret("access_token", token);
    Ok(IssuedToken { access_token, resource, expires_at, lifetime, identity })
}

/// The identity that is named, or the machine's own.
fn find_identity(
    machine: &Machine,
    params: &Params,
    [client_id, resource_id, object_id]: [&str; 3],
) -> Option<UserAssignedIdentity> {
    type Part = fn(&UserAssignedIdentity) -> &str;
    let parts: [(&str, Part); 3] = [
        (client_id, |identity| &identity.client_id),
        (resource_id, |identity| &identity.resource_id),
        (object_id, |identity| &identity.object_id),
    ];
    for (name, part) in parts {
        if let Some(asked) = params.get(name) {
            let mut known = machine.user_assigned.iter();
            return known.find(|identity| part(identity).eq_ignore_ascii_case(asked)).cloned();
        }
    }
    machine.system_assigned.then(|| UserAssignedIdentity {
        client_id: "5e1f0000-0000-4000-8000-00000000c11e".to_owned(),
        object_id: "5e1f0000-0000-4000-8000-0000000000b1".to_owned(),
        resource_id: "/subscriptions/emulator/resourcegroups/emulator/providers/Microsoft.Compute/virtualMachines/emulator".to_owned(),
    })
}

/// Whether the request was made on purpose: no browser and no forwarding proxy sends this header.
fn has_metadata_header(request: &Request) -> bool {
    request.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && request.header("x-forwarded-for").is_none()
}

fn refuse(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "error_description": description}))
}

impl IssuedToken {
    /// IMDS writes its numbers as text.
    fn to_imds_json(&self) -> Value {
        json!({
            "access_token": self.access_token,
            "client_id": self.identity.client_id,
            "expires_in": self.lifetime.to_string(),
            "ext_expires_in": self.lifetime.to_string(),
            "expires_on": self.expires_at.to_string(),
            "not_before": self.expires_at.saturating_sub(self.lifetime).to_string(),
            "resource": self.resource,
            "token_type": "Bearer",
        })
    }
}
