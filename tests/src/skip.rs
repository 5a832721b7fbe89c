//! Tests that cannot run on every machine.

/// Says why the test that runs in this thread does not run here. On CI, where nothing may be skipped, that is a failure.
///
/// # Panics
/// On CI.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(
        !std::env::var("CI").is_ok_and(|ci| ci == "true"),
        "{test} cannot run on this CI: {why}"
    );
    eprintln!("skipped: {test}: {why}");
}

/// Whether the test is root; says so where it is not.
///
/// # Panics
/// On CI, where it is not.
#[cfg(unix)]
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("it takes root");
    }
    is_root
}
