//! What a token at hand may be good for, to be handed to a program whose rule, or the person's word about it, bounds that.

use std::sync::Arc;

use valetkey_model::{Authority, RESERVED_SCOPES, ScopeSet};

use crate::rule::{Ceiling, Qualified, qualify};

/// The scopes and resources of a rule, and the scopes of the person's word. A token that is good for more answers a request
/// for less (RFC 6749 section 6), and would give the program what it may not ask for, or what nobody has said yes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    ceiling: Option<Arc<Ceiling>>,
    consented: Option<ScopeSet>,
}

impl Bound {
    /// None where neither the rule nor the person bounds what tokens are for.
    pub(crate) fn of(ceiling: Option<&Ceiling>, consented: Option<ScopeSet>) -> Option<Self> {
        let ceiling = ceiling.filter(|it| it.bounds_tokens()).map(|it| Arc::new(it.clone()));
        (ceiling.is_some() || consented.is_some()).then_some(Self { ceiling, consented })
    }

    /// Whether all that a token is good for may be asked for. What every sign-in asks for of itself counts as nothing.
    pub fn admits(&self, granted: &ScopeSet, authority: &Authority) -> bool {
        let resources = || granted.iter().filter(|scope| !RESERVED_SCOPES.contains(scope));
        let is_within =
            |ceiling: &Ceiling| ceiling.find_refused_scope(resources(), authority).is_none();
        let is_covered = |said: &ScopeSet| resources().all(|scope| covers(said, scope, authority));
        self.ceiling.as_deref().is_none_or(is_within)
            && self.consented.as_ref().is_none_or(is_covered)
    }
}

/// Whether a yes to these scopes is one to this scope. Entra's `.default` stands for all of its resource's.
fn covers(said: &ScopeSet, scope: &str, authority: &Authority) -> bool {
    let wanted = qualify(scope, authority);
    let is_same = |said: &Qualified<'_>| said.name == wanted.name || said.is_default();
    said.contains(scope)
        || said
            .iter()
            .map(|said| qualify(said, authority))
            .any(|said| said.audience == wanted.audience && is_same(&said))
}
