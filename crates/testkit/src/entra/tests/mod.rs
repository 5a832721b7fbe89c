//! Plain HTTP against a running emulator.

mod authorize;
mod client_auth;
mod control;
mod device;
mod discovery;
mod federation;
mod grants;
mod http;
mod keys;
mod managed_identity;
mod refresh;
mod sign_in;
mod validation;
