//! What valetkey's tests and its demo run against: doubles of the world outside the broker.
//!
//! Nothing here belongs in a product: every crate but the demo may name it among its development dependencies only.

pub mod clock;
pub mod entra;
pub mod gate;
pub mod http;
pub mod idle;
pub mod machine;
mod power;
pub mod proof;
pub mod redirects;
pub mod rng;
pub mod store;
pub mod world;
