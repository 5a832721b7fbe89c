//! Scope sets: what a token is for (RFC 6749 section 3.3).

use std::fmt;
use std::sync::Arc;

/// Scopes that MSAL adds to every user request by itself and refuses from applications.
pub const RESERVED_SCOPES: [&str; 3] = ["openid", "profile", "offline_access"];

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// RFC 6749 allows %x21 / %x23-5B / %x5D-7E; anything else could split a scope in two or forge a request.
    #[error("scope {scope:?} has a character that RFC 6749 section 3.3 does not allow")]
    Character {
        /// The offending scope.
        scope: String,
    },
    /// An empty member in the list.
    #[error("a scope is empty")]
    Empty,
}

/// Scopes sorted by code point, each once, with the joined form kept beside them: looking one up allocates nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeSet {
    scopes: Arc<[Box<str>]>,
    target: Arc<str>,
}

impl ScopeSet {
    /// A set from the members of a list.
    ///
    /// # Errors
    /// When a member is empty or has a character outside RFC 6749's `scope-token`.
    pub fn new<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, ScopeError> {
        let mut list: Vec<Box<str>> = Vec::new();
        for scope in scopes {
            let scope = scope.as_ref();
            if scope.is_empty() {
                return Err(ScopeError::Empty);
            }
            if !scope.bytes().all(is_scope_byte) {
                return Err(ScopeError::Character { scope: scope.to_owned() });
            }
            list.push(scope.into());
        }
        Ok(Self::from_list(list))
    }

    /// A set from a provider's space-separated text. What a provider granted is taken as it is.
    pub fn from_target(text: &str) -> Self {
        Self::from_list(text.split_whitespace().map(Box::from).collect())
    }

    fn from_list(mut list: Vec<Box<str>>) -> Self {
        list.sort_unstable();
        list.dedup();
        let target = list.join(" ");
        Self { scopes: list.into(), target: target.into() }
    }

    /// The members joined by one space, sorted: the wire form, and the cache's `target`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The members, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.scopes.iter().map(AsRef::as_ref)
    }

    /// True when there is no member.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.scopes.len()
    }

    /// True when `scope` is a member; exact, as RFC 6749 scopes are case-sensitive.
    pub fn contains(&self, scope: &str) -> bool {
        self.scopes.binary_search_by(|member| (**member).cmp(scope)).is_ok()
    }

    /// True when every member of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// This set and the members of `other`.
    pub fn union(&self, other: &Self) -> Self {
        Self::from_list(self.scopes.iter().chain(other.scopes.iter()).cloned().collect())
    }

    /// This set without the members of `other`.
    pub fn without(&self, other: &Self) -> Self {
        Self::from_list(
            self.scopes.iter().filter(|scope| !other.contains(scope)).cloned().collect(),
        )
    }

    /// The first of [`RESERVED_SCOPES`] that is a member.
    pub fn reserved_member(&self) -> Option<&'static str> {
        RESERVED_SCOPES.into_iter().find(|scope| self.contains(scope))
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({})", self.target)
    }
}

fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_has_each_member_once() {
        let set = ScopeSet::new(["b", "a", "b", "A"]).unwrap();
        assert_eq!(set.target(), "A a b");
        assert!(set.contains("A") && !set.contains("B"));
    }

    #[test]
    fn a_scope_that_could_forge_a_request_is_refused() {
        for scope in ["a b", "a\"b", "a\\b", "a\n", "é", "\u{7f}"] {
            assert_eq!(
                ScopeSet::new([scope]),
                Err(ScopeError::Character { scope: scope.to_owned() })
            );
        }
        assert_eq!(ScopeSet::new([""]), Err(ScopeError::Empty));
    }

    #[test]
    fn set_operations_keep_the_order() {
        let (ab, bc) = (ScopeSet::from_target("a b"), ScopeSet::from_target("c b"));
        assert_eq!(ab.union(&bc).target(), "a b c");
        assert_eq!(ab.without(&bc).target(), "a");
        assert!(ScopeSet::from_target("b").is_subset(&ab) && !bc.is_subset(&ab));
    }
}
