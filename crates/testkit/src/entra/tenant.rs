//! Tenants: what the first path segment stands for, and who may sign in there.

use super::error::{Refusal, is_guid};
use super::options::CONSUMERS;
use super::state::{State, User};

/// The directory that an authority names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Directory {
    kind: Kind,
    /// How the endpoints of this authority begin: `common`, a GUID even when asked by domain name, `GUID/b2c_1_p`.
    path: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Common,
    Organizations,
    Consumers,
    Organization(String),
    Adfs,
    Dsts,
    Generic,
}

impl Directory {
    /// Finds the directory, or refuses as Entra does for a tenant that does not exist.
    pub(crate) fn find(state: &State, authority_path: &str) -> Result<Self, Refusal> {
        let of_kind = |kind| Ok(Self { kind, path: authority_path.to_owned() });
        if state.generic_oidc {
            return of_kind(Kind::Generic);
        }
        let (name, policy) = authority_path
            .split_once('/')
            .map_or((authority_path, None), |(name, rest)| (name, Some(rest)));
        match name.to_ascii_lowercase().as_str() {
            "common" => return of_kind(Kind::Common),
            "organizations" => return of_kind(Kind::Organizations),
            "consumers" => return of_kind(Kind::Consumers),
            "adfs" => return of_kind(Kind::Adfs),
            "dstsv2" => return of_kind(Kind::Dsts),
            CONSUMERS => return of_kind(Kind::Consumers),
            _ => {}
        }
        let id = find_tenant_id(state, name)?;
        let path = policy.map_or_else(|| id.clone(), |policy| format!("{id}/{policy}"));
        Ok(Self { kind: Kind::Organization(id), path })
    }

    pub(crate) fn is_adfs(&self) -> bool {
        self.kind == Kind::Adfs
    }

    /// Whether tenants are Entra's here, and so go into tokens.
    pub(crate) fn has_tenants(&self) -> bool {
        !matches!(self.kind, Kind::Adfs | Kind::Dsts | Kind::Generic)
    }

    /// The policy of a B2C authority.
    pub(crate) fn policy(&self) -> Option<&str> {
        let (_, policy) = self.path.split_once('/').filter(|_| self.has_tenants())?;
        Some(policy)
    }

    /// The tenant that an application without a user belongs to; the shared endpoints leave it open.
    pub(crate) fn organization(&self) -> Result<&str, Refusal> {
        match &self.kind {
            Kind::Organization(id) => Ok(id),
            Kind::Adfs | Kind::Dsts | Kind::Generic => Ok(""),
            Kind::Common | Kind::Organizations | Kind::Consumers => Err(Refusal::new(
                "invalid_request",
                50_059,
                "No tenant-identifying information was found in the request: an application needs an authority with its tenant.",
            )),
        }
    }

    /// The endpoints that personal accounts may use know no passwords.
    pub(crate) fn refuse_password_grant(&self) -> Result<(), Refusal> {
        match self.kind {
            Kind::Common | Kind::Consumers => Err(Refusal::new(
                "invalid_request",
                9_001_023,
                "The grant type is not supported over the /common or /consumers endpoints. Use /organizations or a tenant-specific endpoint.",
            )),
            _ => Ok(()),
        }
    }

    /// The URL of an endpoint below this directory.
    pub(crate) fn url(&self, base_url: &str, suffix: &str) -> String {
        format!("{base_url}/{}/{suffix}", self.path)
    }

    /// `issuer` of the discovery document; for the shared endpoints Entra leaves a placeholder in it.
    pub(crate) fn document_issuer(&self, base_url: &str) -> String {
        match &self.kind {
            Kind::Common | Kind::Organizations => format!("{base_url}/{{tenantid}}/v2.0"),
            Kind::Consumers => format!("{base_url}/{CONSUMERS}/v2.0"),
            Kind::Organization(id) => format!("{base_url}/{id}/v2.0"),
            Kind::Adfs | Kind::Dsts | Kind::Generic => format!("{base_url}/{}", self.path),
        }
    }

    /// `iss` of a token for a user of `tenant_id`.
    pub(crate) fn token_issuer(&self, base_url: &str, tenant_id: &str) -> String {
        match self.kind {
            Kind::Adfs | Kind::Dsts | Kind::Generic => format!("{base_url}/{}", self.path),
            _ => format!("{base_url}/{tenant_id}/v2.0"),
        }
    }

    /// The tenant that a user signs in to here; AADSTS50020 for one whom it does not know.
    pub(crate) fn tenant_for(&self, user: &User) -> Result<String, Refusal> {
        let is_personal = user.home_tenant == CONSUMERS;
        let known = match &self.kind {
            Kind::Common | Kind::Adfs | Kind::Dsts | Kind::Generic => true,
            Kind::Organizations => !is_personal,
            Kind::Consumers => is_personal,
            Kind::Organization(id) if user.guest_of.contains(id) => return Ok(id.clone()),
            Kind::Organization(id) => user.home_tenant == *id,
        };
        if known {
            return Ok(user.home_tenant.clone());
        }
        let text =
            format!("The account '{}' is not known to the tenant '{}'.", user.name, self.path);
        Err(Refusal::invalid_grant(50_020, text))
    }

    /// Whether a refresh token stays in the tenant where it was issued.
    pub(crate) fn keeps_tenant(&self) -> bool {
        !matches!(self.kind, Kind::Organization(_))
    }
}

fn find_tenant_id(state: &State, name: &str) -> Result<String, Refusal> {
    let is_named = |tenant: &&super::options::Tenant| {
        tenant.id.eq_ignore_ascii_case(name)
            || tenant.domains.iter().any(|domain| domain.eq_ignore_ascii_case(name))
    };
    if let Some(tenant) = state.tenants.iter().find(is_named) {
        return Ok(tenant.id.clone());
    }
    if !is_guid(name) && !name.contains('.') {
        let text = format!("'{name}' is neither the GUID nor the domain name of a tenant.");
        return Err(Refusal::new("invalid_request", 900_023, text));
    }
    let text = format!("There is no tenant '{name}'.");
    Err(Refusal::new("invalid_tenant", 90_002, text))
}
