//! What the token cache promises, through its public interface.

#![expect(clippy::unwrap_used, reason = "a panic in a test's own helper is a failed test")]

mod import;
mod json;
mod lookup;
mod merge;
mod model;
mod removal;
mod replacement;
mod stored_form;
mod support;
mod vectors;
