//! The token cache as a value: entries, indexes, look-up, merge, removal, and MSAL's unified JSON schema in and out.
//!
//! One [`TokenCache`] holds what one user of the machine has. It does no I/O, never reads the clock, sends nothing, and
//! decides nothing about refreshing. A change is first planned (`plan_…` returns [`Change`]s and alters nothing), then
//! saved by the caller, and only then [applied](TokenCache::apply): what the cache holds is always on disk already.

mod access_tokens;
mod account;
mod apps;
mod cache;
mod codec;
mod credential;
mod entry;
mod event;
mod extended_key;
mod identity;
mod import;
mod key;
mod lookup;
mod members;
mod merge;
mod names;
mod owners;
mod proof_keys;
mod removal;
mod schema;
mod shared;
mod size;

pub use account::{Account, Answer, AppMetadata, Document, Foreign};
pub use cache::{Counts, TokenCache};
pub use codec::{DecodeError, EntryDecoder, FORMAT_VERSION};
pub use credential::{AccessToken, Extra, IdToken, KeyId, RefreshToken};
pub use entry::{Change, Entry};
pub use event::{IdClaims, TokenEvent};
pub use extended_key::extended_cache_key;
pub use import::{Import, Reading, SkipReason, Skipped};
pub use key::EntryKey;
pub use lookup::AccessTokenQuery;
pub use members::MemberError;
pub use proof_keys::KeptKey;
pub use schema::ImportError;
