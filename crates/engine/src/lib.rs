//! Client applications and their flows: the broker's mind.
//!
//! The engine decides what a token request needs and drives it to its end. It knows the outside only through the traits
//! of [`ports`]; it opens no socket and no file, reads no clock and no environment, and knows neither the wire of `/v1` nor
//! the vault.

pub mod ports;
