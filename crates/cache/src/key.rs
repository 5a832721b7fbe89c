//! Under which key an entry is stored.

use std::fmt;
use std::sync::Arc;

use crate::Entry;

/// An entry's identity as text: two entries with equal keys replace one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(Arc<str>);

impl EntryKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Entry {
    /// The key under which this entry is stored.
    pub fn key(&self) -> EntryKey {
        EntryKey("".into())
    }
}
