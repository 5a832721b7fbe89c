//! Where the programs under test are: beside the test, in the folder of its profile.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;

/// A program of the workspace.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// `valetkeyd`.
    Daemon,
    /// `valetkey`.
    Cli,
}

impl Program {
    /// Its path.
    ///
    /// # Panics
    /// When it was not built: cargo builds the programs of other packages only when it is told to.
    pub fn path(self) -> PathBuf {
        let name = match self {
            Self::Daemon => "valetkeyd",
            Self::Cli => "valetkey",
        };
        let path = folder().join(format!("{name}{EXE_SUFFIX}"));
        assert!(
            path.is_file(),
            "{} is not there; run `cargo build --workspace --bins`",
            path.display()
        );
        path
    }
}

/// `target/debug` of `target/debug/deps/test-0123456789abcdef`, or of `target/debug/soak`.
pub(crate) fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("a folder");
    match folder.ends_with("deps") {
        true => folder.parent().expect("the profile's folder").to_path_buf(),
        false => folder.to_path_buf(),
    }
}
