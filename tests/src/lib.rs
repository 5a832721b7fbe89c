//! The harness of the whole-system tests: the real programs in a temporary folder, at an emulated provider.
//!
//! A [`World`] is a [`Machine`] (home, state and runtime folders, a daemon and its log) and an Entra emulator that runs in
//! the test's own process. A [`Caller`] is a program that uses the daemon, over a [`Connection`] that can say anything, well
//! formed or not. A [`Browser`] is what brings a person's redirect back. A [`Proxy`] and a [`TlsFront`] stand between. A [`Puppet`] is
//! a program that pretends to be another one.
//!
//! It is for tests: whatever goes wrong panics with what a person needs to see. It sets nothing that two tests would share,
//! knows nothing of the daemon's inside, and does not use the SDK, which is itself under test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on ends its test"
)]

mod browser;
#[cfg(target_os = "linux")]
pub mod bus;
mod caller;
mod connection;
mod events;
mod machine;
mod programs;
mod proxy;
#[cfg(unix)]
mod puppet;
mod random;
#[cfg(target_os = "linux")]
pub mod screen;
#[cfg(target_os = "linux")]
mod several;
mod skip;
#[cfg(target_os = "linux")]
pub mod soak;
mod tls;
mod vitals;
mod world;

pub use browser::{Browser, redirect_port};
pub use caller::Caller;
pub use connection::{Answer, Connection, patiently, post, request};
pub use events::Events;
pub use machine::Machine;
pub use programs::Program;
pub use proxy::Proxy;
#[cfg(unix)]
pub use puppet::{Act, Puppet};
pub use random::Random;
#[cfg(target_os = "linux")]
pub use several::{SERVICE, SeveralUsers};
#[cfg(unix)]
pub use skip::is_root;
pub use skip::skip;
pub use tls::TlsFront;
pub use vitals::Vitals;
pub use world::{ALICE, BOB, CLIENT_ID, SCOPE, World};
