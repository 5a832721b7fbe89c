//! Both clients against a daemon that plays a script.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

mod confidential;
mod exchange;
mod flow;
mod support;
mod vectors;
