//! Proof of possession: access tokens that are worth nothing without a key, and the signed statements that go with them.
//!
//! Both methods take one kind of key, [`ProofKey`]: `dpop.rs` is RFC 9449, `shr.rs` is the signed HTTP request that Entra's
//! `token_type=pop` stands for. The key signs deterministically (RFC 6979), so that nothing random is needed but for ids.

mod dpop;
mod key;
mod shr;
mod target;

pub use self::dpop::{DpopProof, DpopRequest, dpop_nonce, wants_dpop_nonce};
pub use self::key::{ProofKey, ProofKeyError, PublicJwk};
pub use self::shr::PopRequest;
pub use self::target::ProofRequestError;

#[cfg(test)]
mod tests;
