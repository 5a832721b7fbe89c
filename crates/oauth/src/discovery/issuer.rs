//! Whether an issuer belongs to an authority, or an `iss` to an issuer.

use url::Url;
use valetkey_model::{Authority, WELL_KNOWN_HOSTS};

/// Hosts of Azure AD B2C and Entra External ID, whose tenants are sub-domains.
const TENANT_SUFFIXES: [&str; 5] =
    [".b2clogin.com", ".b2clogin.cn", ".b2clogin.us", ".b2clogin.de", ".ciamlogin.com"];

/// Entra's multi-tenant authorities have one issuer per tenant, written with this in the tenant's place.
const TENANT_PLACEHOLDER: &str = "{tenantid}";

/// MSAL's rule for `oidc_authority` (`spec/msal-python.md` section 3.6): the authority itself, anything on its host and
/// port, one sub-domain of it, or a host of Microsoft's.
pub(super) fn is_issuer_of(authority: &Authority, issuer: &str) -> bool {
    if issuer.trim_end_matches('/') == authority.as_str().trim_end_matches('/') {
        return true;
    }
    let Ok(url) = Url::parse(issuer) else { return false };
    let Some(host) = url.host_str() else { return false };
    if origin(issuer).is_some_and(|issuer| Some(issuer) == origin(authority.as_str())) {
        return true;
    }
    let is_regional = |parent: &str| {
        let label = host.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    };
    let is_microsoft = WELL_KNOWN_HOSTS.iter().any(|known| host == *known || is_regional(known));
    let is_tenant = TENANT_SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
    url.scheme() == "https" && (is_microsoft || is_regional(authority.host()) || is_tenant)
}

/// Scheme, host and port as written: issuers are compared as text (RFC 9207 section 2.4), so that letter case counts.
fn origin(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    Some((scheme, rest.split(['/', '?', '#']).next().unwrap_or_default()))
}

/// True when `given` is `issuer`, letter for letter.
///
/// In Entra's template the placeholder stands for exactly one GUID. That stays safe against mix-up (RFC 9207): what the
/// comparison must tell apart are authorization servers, and all tenants under one template are the same server, at the
/// same endpoints, under the same host. Which of its tenants signed the user in is not what the check is for.
pub(crate) fn issuer_matches(issuer: &str, given: &str) -> bool {
    match issuer.split_once(TENANT_PLACEHOLDER) {
        None => issuer == given,
        Some((before, after)) => given
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(is_guid),
    }
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iss_equals_the_issuer_or_fills_its_tenant() {
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let of = |tenant: &str| template.replace("{tenantid}", tenant);
        for (issuer, given, expected) in [
            ("https://op.example", "https://op.example", true),
            ("https://op.example", "https://op.example/", false),
            ("https://op.example", "https://OP.example", false),
            (template, &*of(tenant), true),
            (template, template, false),
            (template, &of("common"), false),
            (template, &of(&format!("x/{tenant}")), false),
            (template, &of(&format!("{tenant}/x")), false),
            (template, &of(&"-".repeat(36)), false),
            (template, "https://evil.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0", false),
            ("", "", true),
        ] {
            assert_eq!(issuer_matches(issuer, given), expected, "{issuer} {given}");
        }
    }
}
