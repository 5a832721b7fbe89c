//! The daemon: where everything meets.
//!
//! Configuration, the listener, the routes of `/v1`, and the engine's ports on the real world: HTTP, clock, randomness, the
//! vault, the loopback listener. [`run()`] puts them together; a test can put them together with others in their place.
//!
//! It decides nothing about tokens (that is the engine's), who may have them (policy's), or how they are kept (vault's).

pub mod allocator;
pub mod api;
pub mod audit;
pub mod broker;
#[cfg(target_os = "linux")]
mod bus;
pub mod clock;
pub mod config;
pub mod configuration;
mod consent;
pub mod diagnosis;
pub mod endpoint;
pub mod failure;
pub mod file_work;
mod folders;
pub mod from_wire;
pub mod hardening;
pub mod http_client;
pub mod in_memory;
pub mod key_file;
pub mod keys;
pub mod locking;
pub mod logging;
#[cfg(target_os = "linux")]
pub mod logind;
pub mod paths;
pub mod program;
pub mod redirect_listener;
pub mod rng;
pub mod run;
pub mod secrets;
pub mod serve;
pub mod service;
pub mod session;
pub mod share;
pub mod shutdown;
pub mod store;
pub mod to_wire;
pub mod users;

pub use run::{Options, RunError, run};
