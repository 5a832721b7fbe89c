//! What a token at hand may be good for, to be handed to a program whose rule bounds scopes or resources.

use std::sync::Arc;

use valetkey_model::{Authority, RESERVED_SCOPES, ScopeSet};

use crate::rule::Ceiling;

/// The scopes and resources of a rule. A token that is good for more answers a request for less (RFC 6749 section 6), and
/// would give the program what it may not ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound(Arc<Ceiling>);

impl Bound {
    /// None where neither scopes nor resources are bounded.
    pub(crate) fn of(ceiling: &Ceiling) -> Option<Self> {
        ceiling.bounds_tokens().then(|| Self(Arc::new(ceiling.clone())))
    }

    /// Whether all that a token is good for may be asked for. What every sign-in asks for of itself counts as nothing.
    pub fn admits(&self, granted: &ScopeSet, authority: &Authority) -> bool {
        let resources = granted.iter().filter(|scope| !RESERVED_SCOPES.contains(scope));
        self.0.find_refused_scope(resources, authority).is_none()
    }
}
