//! The nouns that every other crate speaks of.
//!
//! Values only: identifiers, scope sets, authorities, times, secrets and callers, each valid by construction. This crate
//! does no I/O, never reads the clock, and knows no wire format: nothing here is `Serialize`, because what goes over a
//! socket or into a file is decided where that happens (`daemon/src/{from,to}_wire.rs`, `cache/src/schema.rs`).

mod authority;
mod caller;
mod id;
mod program;
mod scope;
mod secret;
mod text;
mod time;

pub use authority::{Authority, AuthorityError, AuthorityKind, AuthorityOptions, WELL_KNOWN_HOSTS};
pub use caller::{Caller, Partition};
pub use id::{AccountId, ClientId, CorrelationId, IdError};
pub use program::{
    Confinement, Executable, FileId, Parent, ProcessId, Program, Sandbox, Unidentified,
};
pub use scope::{RESERVED_SCOPES, ScopeError, ScopeSet};
pub use secret::Secret;
pub use text::steers_display;
pub use time::UnixTime;
