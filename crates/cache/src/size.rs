//! How much memory entries take up, about: their texts, and what is around these.

use crate::Entry;
use crate::members::Member;

impl Entry {
    /// In bytes. Texts that entries share count for each of them, so that it is never too little.
    pub fn size(&self) -> usize {
        let length = |member: &Member<'_>| match member {
            Member::Text(text) => text.len(),
            Member::Json(value) => value.to_string().len(),
            Member::Time(_) | Member::Null => 0,
        };
        let texts: usize = self.members().iter().map(|(_, member)| length(member)).sum();
        AROUND + texts
    }
}

/// The entry without its texts, its places in the indexes, and what the allocator needs.
const AROUND: usize = 1024;
