//! Federated domains: whose users sign in at a federation service of their own, and what user realm discovery says.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::message::{Reply, Request};
use super::origin::base_url_for;
use super::state::State;

/// A domain whose passwords the emulated ADFS knows and Entra does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedDomain {
    /// What follows the `@`.
    pub domain: String,
    /// Whether user realm discovery names the metadata document, by which a client finds the newest endpoint; without
    /// it clients take `federation_active_auth_url`, the WS-Trust 2005 one.
    #[serde(default = "yes")]
    pub metadata: bool,
    /// Which assertions the federation service issues.
    #[serde(default)]
    pub saml: SamlVersion,
}

/// The version of an assertion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SamlVersion {
    /// What an ADFS issues for Entra.
    #[default]
    #[serde(rename = "1.1")]
    V1,
    /// What other federation services issue.
    #[serde(rename = "2.0")]
    V2,
}

fn yes() -> bool {
    true
}

impl FederatedDomain {
    /// A domain as a real ADFS serves it.
    pub fn named(domain: &str) -> Self {
        Self { domain: domain.to_owned(), metadata: true, saml: SamlVersion::V1 }
    }
}

impl State {
    /// The federation of this user's domain; none for a managed user.
    pub(crate) fn find_federation(&self, user_name: &str) -> Option<&FederatedDomain> {
        let (_, domain) = user_name.trim().rsplit_once('@')?;
        self.federated_domains.iter().find(|known| known.domain.eq_ignore_ascii_case(domain))
    }
}

/// `/common/userrealm/{user}?api-version=1.0`: where this user's password belongs.
pub(crate) fn describe_realm(state: &State, request: &Request) -> Reply {
    let user_name = &percent_decode(request.path.rsplit('/').next().unwrap_or(""));
    let domain = user_name.rsplit('@').next().unwrap_or("").to_lowercase();
    let is_known = state.tenants.iter().any(|tenant| tenant.domains.contains(&domain));
    let mut body = json!({"ver": "1.0", "cloud_instance_name": "microsoftonline.com"});
    if let Some(federation) = state.find_federation(user_name) {
        let trust = format!("{}/adfs/services/trust", base_url_for(&state.base_url, request));
        body["account_type"] = json!("Federated");
        body["federation_protocol"] = json!("WSTrust");
        body["federation_active_auth_url"] = json!(format!("{trust}/2005/usernamemixed"));
        if federation.metadata {
            body["federation_metadata_url"] = json!(format!("{trust}/mex"));
        }
    } else {
        body["account_type"] = json!(if is_known { "Managed" } else { "Unknown" });
    }
    if body["account_type"] != "Unknown" {
        body["domain_name"] = json!(domain);
        body["cloud_audience_urn"] = json!(AUDIENCE);
    }
    Reply::json(200, &body)
}

fn percent_decode(segment: &str) -> String {
    // A plus sign is itself in a path and a space in a form.
    let pair = format!("v={}", segment.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Whom a federation service's assertions are for.
pub(crate) const AUDIENCE: &str = "urn:federation:MicrosoftOnline";
