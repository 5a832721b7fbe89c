//! What comes from outside, in any shape: one module for each fuzz target, with the function that libFuzzer calls.
//!
//! A target does not only see that nothing panics. It says what must hold of everything that is taken, and that no refusal
//! tells a secret. `fuzz_targets/` has one program for each of them, which `cargo xtask fuzz` builds and runs;
//! `tests/corpus.rs` calls the same functions with all that is in `corpus/`, on stable and in seconds.
//!
//! It finds nothing by itself that is not in the corpus, and opens no sockets.

#![expect(clippy::expect_used, reason = "what a target expects is what it checks")]

pub mod answers;
pub mod authority;
pub mod cache_import;
pub mod configuration;
pub mod credentials;
pub mod discovery;
pub mod federation;
pub mod fragments;
mod input;
pub mod redirect;
pub mod requests;
mod response;
pub mod sdk;
pub mod store;
pub mod stored_entry;
pub mod story;
pub mod token_response;

use std::pin::pin;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use valetkey_model::UnixTime;

/// What libFuzzer calls with one input.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those of their programs and of the folders of their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("answers", answers::run),
    ("authority", authority::run),
    ("cache_import", cache_import::run),
    ("configuration", configuration::run),
    ("credentials", credentials::run),
    ("discovery", discovery::run),
    ("federation", federation::run),
    ("fragments", fragments::run),
    ("redirect", redirect::run),
    ("requests", requests::run),
    ("sdk", sdk::run),
    ("store", store::run),
    ("stored_entry", stored_entry::run),
    ("story", story::run),
    ("token_response", token_response::run),
];

/// When all inputs come.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// Runs what needs timers and never waits for one.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let make = || Builder::new_current_thread().enable_time().build().expect("a runtime");
    RUNTIME.get_or_init(make).block_on(pin!(work))
}
