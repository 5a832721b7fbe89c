//! What goes over valetkey's socket: the wire types of `/v1`, its paths, headers and error codes.
//!
//! Both ends use these types, so neither can drift. They are shapes, not nouns: nothing here validates a scope or parses
//! an authority, does I/O, or knows an engine; the daemon translates them in `from_wire.rs` and `to_wire.rs`, and nowhere
//! else. Requests refuse unknown fields, so that a misspelt option is an error and not a silent default; answers accept
//! them, so that an older SDK reads a newer daemon.
//!
//! With the feature `schema` the crate also makes `openapi.json` and `error-codes.md`, which are committed and checked by
//! a test.

#[cfg(feature = "schema")]
pub mod openapi;
pub mod v1;
