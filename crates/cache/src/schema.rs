//! MSAL's unified JSON schema, in and out (`spec/msal-python.md` sections 4.1, 4.2 and 4.10).

use std::borrow::Cow;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use valetkey_model::{Secret, UnixTime};
use zeroize::Zeroizing;

use crate::members::{ADDED_AT, Member, MemberError, Members, section};
use crate::shared::Shared;
use crate::{Entry, EntryKey, Foreign, TokenCache};

/// Why a text is no token cache of MSAL.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not JSON.
    #[error("token cache is no JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// None of the schema's sections is there, and something else is.
    #[error(
        "this is no token cache of MSAL: it has none of its sections (AccessToken, RefreshToken, …)"
    )]
    NoCache,
    /// The whole is not an object of sections.
    #[error("token cache is no JSON object")]
    NoObject,
    /// A section is not an object of entries.
    #[error("section {section:?} of the token cache is no JSON object")]
    Section {
        /// Its name.
        section: &'static str,
    },
    /// An entry is not an object of members.
    #[error("entry {number} of section {section:?} of the token cache is no JSON object")]
    Entry {
        /// The section's name.
        section: &'static str,
        /// Counted from 1. The key is not told: it has a user's identity in it.
        number: usize,
    },
    /// A member is missing or of a wrong kind.
    #[error("entry {number} of section {section:?} of the token cache: {source}")]
    Member {
        /// The section's name.
        section: &'static str,
        /// Counted from 1.
        number: usize,
        /// The member, and what is wrong with it.
        source: MemberError,
    },
}

impl TokenCache {
    /// The cache as MSAL's unified JSON. Documents are ours alone and not in it.
    pub fn to_msal_json(&self) -> Zeroizing<String> {
        Self::msal_json_of(self.entries())
    }

    /// The same of entries that were taken out of a cache, which need not be held while it is written.
    #[expect(clippy::expect_used, reason = "neither writer fails, keys are text, JSON is UTF-8")]
    pub fn msal_json_of(entries: impl Iterator<Item = Entry>) -> Zeroizing<String> {
        let sections = Sections::of(entries);
        // Written twice, first to learn the length: a buffer that grows leaves copies of secrets behind.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, &sections).expect("counting does not fail");
        let mut bytes = Vec::with_capacity(length.0);
        serde_json::to_writer(&mut bytes, &sections).expect("a Vec takes all");
        Zeroizing::new(String::from_utf8(bytes).expect("serde_json writes UTF-8"))
    }

    /// The entries of MSAL's unified JSON, whichever library wrote it: read by their members, not by their keys. Of two
    /// that are the same thing under different keys the newer one counts.
    ///
    /// # Errors
    /// Names the section, the entry and the member that is wrong.
    pub fn entries_from_msal_json(text: &str) -> Result<Vec<Entry>, ImportError> {
        match serde_json::from_str(text)? {
            Value::Object(sections) => Self::entries_from_msal_sections(sections),
            _ => Err(ImportError::NoObject),
        }
    }

    /// The same of JSON that was parsed already.
    ///
    /// # Errors
    /// Names the section, the entry and the member that is wrong.
    pub fn entries_from_msal_sections(
        sections: Map<String, Value>,
    ) -> Result<Vec<Entry>, ImportError> {
        read_sections(sections, |section, number, source| {
            Err(ImportError::Member { section, number, source })
        })
    }
}

/// The entries; `on_unreadable` hears of each that is not as it must be, by section and number, and may end the reading.
pub(crate) fn read_sections(
    sections: Map<String, Value>,
    mut on_unreadable: impl FnMut(&'static str, usize, MemberError) -> Result<(), ImportError>,
) -> Result<Vec<Entry>, ImportError> {
    let (mut newest, mut shared) = (BTreeMap::new(), Shared::default());
    // What has no name cannot be found again.
    for (name, value) in sections.into_iter().filter(|(name, _)| !name.is_empty()) {
        let Some(section) = section::OF_MSAL.into_iter().find(|known| **known == *name) else {
            keep_newer(&mut newest, read_foreign(&name, &value));
            continue;
        };
        for (number, members) in (1..).zip(entries_of(section, value)?) {
            let Value::Object(members) = members else {
                return Err(ImportError::Entry { section, number });
            };
            match read_entry(section, members, &mut shared) {
                Ok(entry) => keep_newer(&mut newest, entry),
                Err(source) => on_unreadable(section, number, source)?,
            }
        }
    }
    Ok(newest.into_values().collect())
}

/// A section that is null has none.
fn entries_of(
    section: &'static str,
    value: Value,
) -> Result<impl Iterator<Item = Value>, ImportError> {
    match value {
        Value::Object(entries) => Ok(Some(entries).into_iter().flat_map(Map::into_values)),
        Value::Null => Ok(None.into_iter().flat_map(Map::into_values)),
        _ => Err(ImportError::Section { section }),
    }
}

fn read_entry(
    section: &'static str,
    mut members: Map<String, Value>,
    shared: &mut Shared,
) -> Result<Entry, MemberError> {
    // Ours alone; in another's text the name means something else, if anything.
    members.remove(ADDED_AT);
    let given = members.into_iter().map(|(name, value)| (Cow::Owned(name), value.into())).collect();
    Members::new(given, shared).into_entry(section).unwrap_or_else(|| {
        let problem = "is of no known section".to_owned();
        Err(MemberError { member: "credential_type", problem })
    })
}

fn read_foreign(name: &str, value: &Value) -> Entry {
    let body = Secret::new(value.to_string());
    Entry::Foreign(Arc::new(Foreign { section: name.into(), body }))
}

impl Foreign {
    /// The body as it came; as a text if it is no JSON, so that nothing is lost.
    fn json(&self) -> Value {
        let text = self.body.expose();
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
    }
}

fn keep_newer(newest: &mut BTreeMap<EntryKey, Entry>, entry: Entry) {
    match newest.entry(entry.key()) {
        Slot::Vacant(slot) => {
            slot.insert(entry);
        }
        Slot::Occupied(mut slot) if written_at(slot.get()) <= written_at(&entry) => {
            slot.insert(entry);
        }
        Slot::Occupied(_) => {}
    }
}

fn written_at(entry: &Entry) -> UnixTime {
    match entry {
        Entry::AccessToken(token) => token.expires_on,
        Entry::RefreshToken(token) => token.last_modified,
        _ => UnixTime::default(),
    }
}

/// The entries by section and MSAL's key, and whole sections of other libraries.
struct Sections(BTreeMap<usize, BTreeMap<String, Entry>>, Vec<(Arc<str>, Value)>);

impl Sections {
    fn of(entries: impl Iterator<Item = Entry>) -> Self {
        let mut sections: BTreeMap<usize, BTreeMap<String, Entry>> = BTreeMap::new();
        let (mut foreign, mut last_numbers) = (Vec::new(), HashMap::new());
        let mut keyed: Vec<(EntryKey, Entry)> = entries.map(|it| (it.key(), it)).collect();
        keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (_, entry) in keyed {
            let rank = section::OF_MSAL.iter().position(|name| *name == entry.section());
            match (rank, entry) {
                (Some(rank), entry) => {
                    let section = sections.entry(rank).or_default();
                    put_under_free_key(section, &mut last_numbers, rank, entry);
                }
                (None, Entry::Foreign(it)) => foreign.push((Arc::clone(&it.section), it.json())),
                (None, _) => {}
            }
        }
        Self(sections, foreign)
    }
}

/// MSAL's keys know neither case nor the key that a token is bound to; what we keep apart gets a number at the end, which
/// MSAL's own search, by members, does not mind.
fn put_under_free_key(
    section: &mut BTreeMap<String, Entry>,
    last_numbers: &mut HashMap<(usize, String), usize>,
    rank: usize,
    entry: Entry,
) {
    let key = entry.msal_key();
    let mut free = key.clone();
    if section.contains_key(&key) {
        // Thousands may share a key, and another one's key may look like the next that is free.
        let last = last_numbers.entry((rank, key.clone())).or_insert(1);
        while section.contains_key(&free) {
            *last += 1;
            free = format!("{key}-{last}");
        }
    }
    section.insert(free, entry);
}

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (rank, entries) in &self.0 {
            map.serialize_entry(section::OF_MSAL[*rank], &Entries(entries))?;
        }
        for (name, section) in &self.1 {
            map.serialize_entry(&**name, section)?;
        }
        map.end()
    }
}

struct Entries<'a>(&'a BTreeMap<String, Entry>);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, entry)| (key, MsalMembers(entry))))
    }
}

struct MsalMembers<'a>(&'a Entry);

impl Serialize for MsalMembers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.0.members();
        let is_credential =
            !matches!(self.0, Entry::Account(_) | Entry::AppMetadata(_) | Entry::Foreign(_));
        let mut map = serializer.serialize_map(None)?;
        if is_credential && !members.iter().any(|(name, _)| *name == "credential_type") {
            map.serialize_entry("credential_type", self.0.section())?;
        }
        for (name, member) in members.into_iter().filter(|(name, _)| *name != ADDED_AT) {
            map.serialize_entry(name, &member)?;
        }
        map.end()
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Time(time) => serializer.collect_str(time),
            Self::Null => serializer.serialize_none(),
            Self::Json(value) => value.serialize(serializer),
        }
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
