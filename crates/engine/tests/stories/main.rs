//! Stories about the engine, told through its public interface in the testkit's world.

#![expect(clippy::unwrap_used, reason = "a panic in a test's own helper is a failed test")]

mod accounts;
mod aging;
mod aliases;
mod answers;
mod auth_code;
mod bounds;
mod cloud_shell;
mod device_code;
mod discovery;
mod disk;
mod federation;
mod form_fields;
mod grants;
mod http_basic;
mod interactive;
mod key_names;
mod lock;
mod managed_identity;
mod possession;
mod refresh_faults;
mod room;
mod sign_out;
mod single_flight;
mod time;
mod wire;
