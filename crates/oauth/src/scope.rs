//! The scopes that a user request really asks for.

use valetkey_model::{RESERVED_SCOPES, ScopeSet};

/// An application named a scope that is added by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope {scope:?} is reserved: it is added to every request by itself")]
pub struct ReservedScope {
    /// Which one.
    pub scope: &'static str,
}

/// Adds openid, profile and offline_access, save those in `exclude` (an application's `exclude_scopes`).
///
/// # Errors
/// When the application named one of them itself.
pub fn decorate_scopes(scopes: &ScopeSet, exclude: &ScopeSet) -> Result<ScopeSet, ReservedScope> {
    if let Some(scope) = scopes.reserved_member() {
        return Err(ReservedScope { scope });
    }
    let reserved = ScopeSet::from_target(&RESERVED_SCOPES.join(" "));
    Ok(scopes.union(&reserved).without(exclude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openid_scopes_are_added_unless_excluded_and_refused_from_applications() {
        for (scopes, exclude, expected) in [
            ("User.Read", "", Ok("User.Read offline_access openid profile")),
            ("User.Read", "offline_access", Ok("User.Read openid profile")),
            ("", "", Ok("offline_access openid profile")),
            ("a openid", "", Err("openid")),
            ("offline_access", "offline_access", Err("offline_access")),
            ("OpenID", "", Ok("OpenID offline_access openid profile")),
        ] {
            let decorated =
                decorate_scopes(&ScopeSet::from_target(scopes), &ScopeSet::from_target(exclude));
            let decorated = decorated.as_ref().map(ScopeSet::target).map_err(|error| error.scope);
            assert_eq!(decorated, expected, "{scopes:?} without {exclude:?}");
        }
    }
}
