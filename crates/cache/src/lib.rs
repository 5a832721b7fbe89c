//! The token cache as a value: entries, indexes, look-up, merge, removal, and MSAL's unified JSON schema in and out.
//!
//! One [`TokenCache`] holds what one user of the machine has. It does no I/O, never reads the clock, sends nothing, and
//! decides nothing about refreshing. A change is first planned (`plan_…` returns [`Change`]s and alters nothing), then
//! saved by the caller, and only then [applied](TokenCache::apply): what the cache holds is always on disk already.

mod account;
mod cache;
mod credential;
mod entry;
mod extended_key;
mod key;
mod lookup;
mod merge;
mod removal;

pub use account::{Account, AppMetadata, Document, Foreign};
pub use cache::{Counts, TokenCache};
pub use credential::{AccessToken, Extra, IdToken, RefreshToken};
pub use entry::{Change, DecodeError, Entry, FORMAT_VERSION, ImportError};
pub use extended_key::extended_cache_key;
pub use key::EntryKey;
pub use lookup::AccessTokenQuery;
pub use merge::{IdClaims, TokenEvent};
