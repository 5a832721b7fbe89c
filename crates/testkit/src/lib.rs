//! What valetkey's tests and its demo run against: doubles of the world outside the broker.
//!
//! Nothing here belongs in a product: every crate but the demo may name it among its development dependencies only.

pub mod entra;
