//! Starting the daemon, with this very program in its place: without a test harness, since it is run in three roles.
#![cfg_attr(unix, expect(clippy::unwrap_used, reason = "a test says what failed by panicking"))]

#[cfg(unix)]
mod unix;

fn main() {
    #[cfg(unix)]
    unix::main();
}
