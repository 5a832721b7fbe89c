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
    /// It would mean another socket in each working directory.
    #[error("find the socket: VALETKEY_SOCKET is {}, which is no absolute path; write it with all of its folders", .0.display())]
    Relative(PathBuf),
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

    /// Where this process's user finds a daemon: at `VALETKEY_SOCKET`, else at the user's own if somebody listens there, else
    /// at that of the system where there is one. A daemon of the user's own that was started beside the system's would
    /// know none of the user's sign-ins.
    ///
    /// # Errors
    /// When the environment names no folder for it, and the system has none.
    pub fn of_this_user() -> Result<Self, EndpointError> {
        Self::find(&|name| std::env::var_os(name), Self::of_the_system())
    }

    fn find(
        lookup: &dyn Fn(&str) -> Option<OsString>,
        system: Self,
    ) -> Result<Self, EndpointError> {
        let own = Self::from_environment(lookup);
        let is_chosen = lookup("VALETKEY_SOCKET").is_some_and(|value| !value.is_empty());
        let is_served = || own.as_ref().is_ok_and(platform::is_served);
        if is_chosen || !platform::is_there(&system) || is_served() { own } else { Ok(system) }
    }

    /// The endpoint of a user's own daemon by an environment: `VALETKEY_SOCKET`, else the platform's default for the user.
    ///
    /// # Errors
    /// When the environment names no folder for it.
    pub fn from_environment(
        lookup: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, EndpointError> {
        // An empty variable counts as unset, as in the XDG specification.
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        match lookup("VALETKEY_SOCKET") {
            Some(path) if Path::new(&path).is_relative() => {
                Err(EndpointError::Relative(path.into()))
            }
            Some(path) => Ok(Self::at(path)),
            None => platform::default_endpoint(&lookup).map(Self),
        }
    }

    /// The endpoint of a daemon that was installed for every user of the machine.
    pub fn of_the_system() -> Self {
        Self(PathBuf::from(platform::SYSTEM_ENDPOINT))
    }

    /// Whether it is [`Self::of_the_system`], where no user can start a daemon.
    pub fn is_of_the_system(&self) -> bool {
        *self == Self::of_the_system()
    }

    /// The folder that is there for this socket alone, as its name says, and for nobody but the socket's user.
    pub fn own_folder(&self) -> Option<&Path> {
        let folder = self.0.parent()?;
        (folder.ends_with("valetkey") && !self.is_of_the_system()).then_some(folder)
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
    use std::os::unix::net::UnixListener;
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
        check(&[("VALETKEY_SOCKET", "a/b"), ("XDG_RUNTIME_DIR", "/c")], None);
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

    /// Which of `chosen`, `own` and `system` a client takes, where those in `served` are listened on and those in `stale` were.
    fn check_find(chosen: bool, served: &[&str], stale: &[&str], expected: &str) {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name).join("valetkey/broker.sock");
        let listen = |name: &&str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            UnixListener::bind(path(name)).unwrap()
        };
        let _served: Vec<_> = served.iter().map(listen).collect();
        stale.iter().for_each(|name| drop(listen(name)));
        let lookup = |name: &str| match name {
            "VALETKEY_SOCKET" => chosen.then(|| path("chosen").into_os_string()),
            "XDG_RUNTIME_DIR" | "TMPDIR" => Some(temp.path().join("own").into_os_string()),
            _ => None,
        };
        let found = Endpoint::find(&lookup, Endpoint::at(path("system"))).unwrap();
        assert_eq!(found.path(), path(expected), "{chosen} {served:?} {stale:?}");
    }

    #[test]
    fn the_systems_daemon_is_taken_unless_one_was_chosen_or_an_own_one_listens() {
        check_find(false, &[], &[], "own");
        check_find(false, &["system"], &[], "system");
        check_find(false, &["system"], &["own"], "system");
        check_find(false, &["own"], &["system"], "own");
        check_find(false, &["own", "system"], &[], "own");
        check_find(true, &["own", "system"], &[], "chosen");
        // A service that is being started again has not left the machine.
        check_find(false, &[], &["system"], "system");
    }
}
