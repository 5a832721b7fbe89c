//! Where the daemon listens: one name, found in the same way by both ends.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::{BindError, platform};

/// A Unix socket's path, or a named pipe's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

/// Why this user has no endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No folder to put a socket into.
    #[error("find the socket: neither XDG_RUNTIME_DIR nor HOME is set; set VALETKEY_SOCKET")]
    NoHome,
    /// The system does not say who we are.
    #[error("find the pipe: cannot tell the user's SID: {0}")]
    NoUser(#[source] std::io::Error),
}

impl Endpoint {
    /// The endpoint at a path that somebody chose.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // A relative path would mean another socket after a change of the working directory.
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    /// The endpoint of this process's user.
    ///
    /// # Errors
    /// When the environment names no folder for it.
    pub fn of_this_user() -> Result<Self, EndpointError> {
        Self::from_environment(&|name| std::env::var_os(name))
    }

    /// The endpoint that an environment names: `VALETKEY_SOCKET`, else the platform's default for the user.
    ///
    /// # Errors
    /// When the environment names no folder for it.
    pub fn from_environment(
        lookup: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, EndpointError> {
        // An empty variable counts as unset, as in the XDG specification.
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        match lookup("VALETKEY_SOCKET") {
            Some(path) => Ok(Self::at(path)),
            None => platform::default_endpoint(&lookup).map(Self),
        }
    }

    /// The endpoint of a daemon that was installed for every user of the machine.
    pub fn of_the_system() -> Self {
        Self(PathBuf::from(platform::SYSTEM_ENDPOINT))
    }

    /// Whether a daemon could listen here without anybody else getting in between, as far as can be told without trying.
    ///
    /// # Errors
    /// What is in the way, and how to mend it.
    pub fn inspect(&self) -> Result<(), BindError> {
        platform::inspect(self)
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::Endpoint;

    fn check(environment: &[(&str, &str)], expected: Option<&str>) {
        let lookup = |name: &str| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        let found = Endpoint::from_environment(&lookup).ok();
        assert_eq!(found.as_ref().map(Endpoint::path), expected.map(Path::new), "{environment:?}");
    }

    #[test]
    fn the_users_own_choice_comes_first() {
        check(&[("VALETKEY_SOCKET", "/a/b"), ("XDG_RUNTIME_DIR", "/c")], Some("/a/b"));
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_runtime_folder_is_the_default() {
        check(
            &[("VALETKEY_SOCKET", ""), ("XDG_RUNTIME_DIR", "/run/me"), ("HOME", "/h")],
            Some("/run/me/valetkey/broker.sock"),
        );
    }

    #[cfg(target_os = "macos")]
    #[test]
    fn the_users_temporary_folder_is_the_default() {
        check(&[("TMPDIR", "/t"), ("HOME", "/h")], Some("/t/valetkey/broker.sock"));
    }
}
