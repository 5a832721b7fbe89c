//! Which endpoint a path names, and under which tenant.

use serde::{Deserialize, Serialize};

/// What the emulator serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/common/discovery/instance`
    InstanceDiscovery,
    /// `…/.well-known/openid-configuration`
    OpenidConfiguration,
    /// The signing keys.
    Keys,
    /// The authorization endpoint.
    Authorize,
    /// The device authorization endpoint.
    DeviceCode,
    /// The page where a person types a device code.
    DeviceLogin,
    /// The token endpoint.
    Token,
    /// The end-session endpoint.
    Logout,
    /// The revocation endpoint (RFC 7009), generic personality only.
    Revocation,
    /// The userinfo endpoint.
    Userinfo,
    /// `/common/userrealm/{user}`
    UserRealm,
    /// `/adfs/services/trust/mex`
    FederationMetadata,
    /// `/adfs/services/trust/2005/usernamemixed` and `/13/usernamemixed`
    WsTrust,
    /// The endpoints of managed identities: `/metadata/identity/oauth2/token`, `/msi/token`, `/MSI/auth`,
    /// `/oauth2/token`
    ManagedIdentity,
    /// `/metadata/instance/compute`
    ComputeMetadata,
    /// A path that nothing serves.
    Unknown,
}

/// An endpoint and the path segments before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The tenant, and for B2C its policy: `contoso.com` or `contoso.com/b2c_1_signin`.
    pub(crate) authority_path: String,
}

type Suffixes = &'static [(&'static str, Endpoint)];

/// Below a tenant, Entra's personality: v2.0, and the shorter ADFS forms.
pub(crate) const ENTRA: Suffixes = &[
    ("v2.0/.well-known/openid-configuration", Endpoint::OpenidConfiguration),
    (".well-known/openid-configuration", Endpoint::OpenidConfiguration),
    ("discovery/v2.0/keys", Endpoint::Keys),
    ("discovery/keys", Endpoint::Keys),
    ("oauth2/v2.0/authorize", Endpoint::Authorize),
    ("oauth2/authorize", Endpoint::Authorize),
    ("oauth2/v2.0/devicecode", Endpoint::DeviceCode),
    ("oauth2/devicecode", Endpoint::DeviceCode),
    ("oauth2/v2.0/token", Endpoint::Token),
    ("oauth2/token", Endpoint::Token),
    ("oauth2/v2.0/logout", Endpoint::Logout),
    ("oauth2/logout", Endpoint::Logout),
    ("oidc/userinfo", Endpoint::Userinfo),
];

/// Below a tenant, the generic OpenID Connect personality.
pub(crate) const GENERIC: Suffixes = &[
    (".well-known/openid-configuration", Endpoint::OpenidConfiguration),
    ("jwks", Endpoint::Keys),
    ("authorize", Endpoint::Authorize),
    ("device", Endpoint::DeviceCode),
    ("token", Endpoint::Token),
    ("logout", Endpoint::Logout),
    ("revoke", Endpoint::Revocation),
    ("userinfo", Endpoint::Userinfo),
];

/// Finds the endpoint; doubled and trailing slashes do not matter.
pub(crate) fn find_route(path: &str, generic_oidc: bool) -> Route {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let route = |endpoint, authority_path: String| Route { endpoint, authority_path };
    match segments.as_slice() {
        ["devicelogin"] => return route(Endpoint::DeviceLogin, String::new()),
        ["common", "discovery", "instance"] if !generic_oidc => {
            return route(Endpoint::InstanceDiscovery, String::new());
        }
        ["common", "userrealm", _user] if !generic_oidc => {
            return route(Endpoint::UserRealm, "common".to_owned());
        }
        ["adfs", "services", "trust", "mex"] => {
            return route(Endpoint::FederationMetadata, "adfs".to_owned());
        }
        ["adfs", "services", "trust", "2005" | "13", "usernamemixed"] => {
            return route(Endpoint::WsTrust, "adfs".to_owned());
        }
        ["metadata", "identity", "oauth2", "token"] | ["msi", "token"] | ["MSI", "auth"] => {
            return route(Endpoint::ManagedIdentity, String::new());
        }
        ["oauth2", "token"] if !generic_oidc => {
            return route(Endpoint::ManagedIdentity, String::new());
        }
        ["metadata", "instance", "compute"] | ["metadata", "instance", "compute", "location"] => {
            return route(Endpoint::ComputeMetadata, String::new());
        }
        _ => {}
    }
    let suffixes = if generic_oidc { GENERIC } else { ENTRA };
    // A B2C policy is a second segment; ADFS may sit below a folder of its own.
    for tenant_segments in [1, 2] {
        let Some((tenant, rest)) = segments.split_at_checked(tenant_segments) else { continue };
        let rest = rest.join("/");
        if let Some((_, endpoint)) = suffixes.iter().find(|(suffix, _)| *suffix == rest) {
            return route(*endpoint, tenant.join("/"));
        }
    }
    route(Endpoint::Unknown, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, generic_oidc: bool, endpoint: Endpoint, authority_path: &str) {
        let expected = Route { endpoint, authority_path: authority_path.to_owned() };
        assert_eq!(find_route(path, generic_oidc), expected, "{path}");
    }

    #[test]
    fn paths_name_endpoints() {
        check("/common/discovery/instance", false, Endpoint::InstanceDiscovery, "");
        check(
            "/common//v2.0/.well-known/openid-configuration",
            false,
            Endpoint::OpenidConfiguration,
            "common",
        );
        check(
            "/adfs/.well-known/openid-configuration",
            false,
            Endpoint::OpenidConfiguration,
            "adfs",
        );
        check("/adfs/oauth2/token/", false, Endpoint::Token, "adfs");
        check("/t/b2c_1_p/oauth2/v2.0/token", false, Endpoint::Token, "t/b2c_1_p");
        check("/t/token", true, Endpoint::Token, "t");
        check("/t/token", false, Endpoint::Unknown, "");
        check("/common/discovery/instance", true, Endpoint::Unknown, "");
        check("/", false, Endpoint::Unknown, "");
        check("/devicelogin", false, Endpoint::DeviceLogin, "");
    }
}
