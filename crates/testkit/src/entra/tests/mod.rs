//! Plain HTTP against a running emulator.

mod authorize;
mod control;
mod device;
mod discovery;
mod http;
mod refresh;
mod sign_in;
mod validation;
