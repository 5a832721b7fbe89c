//! One daemon for several users of the machine: what is one user's is nowhere for another, not even for root.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

mod isolation;
mod service;
mod support;
