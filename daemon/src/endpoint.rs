//! Which endpoint this daemon serves, and taking it.

use std::path::{Path, PathBuf};

use valetkey_ipc::{Audience, BindError, Endpoint, EndpointError, Listener};

use crate::paths::Lookup;

/// Why there is no endpoint to serve.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The environment does not say where.
    #[error(transparent)]
    Unknown(#[from] EndpointError),
    /// It cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// systemd's socket cannot be served.
    #[cfg(unix)]
    #[error(transparent)]
    Adopt(#[from] valetkey_ipc::AdoptError),
}

/// A socket that systemd passed on; there is no such thing elsewhere.
#[cfg(unix)]
pub type Inherited = valetkey_ipc::Inherited;
/// A socket that systemd passed on; there is no such thing elsewhere.
#[cfg(not(unix))]
pub type Inherited = std::convert::Infallible;

/// Listens where a path was asked for by name (`--socket`, then `VALETKEY_SOCKET`), else on what systemd passed on, else
/// where the session keeps its sockets.
///
/// # Errors
/// [`BindError::AlreadyRunning`] when another daemon was first; the others tell what to mend.
pub fn open(
    chosen: Option<&Path>,
    inherited: Option<Inherited>,
    purpose: Purpose,
    lookup: Lookup<'_>,
) -> Result<Listener, OpenError> {
    let audience = purpose.audience();
    match (chosen, inherited) {
        (Some(path), _) => Ok(Listener::bind_for(&Endpoint::at(path), audience)?),
        #[cfg(unix)]
        (None, Some(inherited)) if lookup("VALETKEY_SOCKET").is_none() => {
            Ok(Listener::adopt(inherited, audience)?)
        }
        _ => Ok(Listener::bind_for(&default_endpoint(purpose, lookup)?, audience)?),
    }
}

/// What a daemon is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// It is the system's (`--system`).
    pub is_systems: bool,
    /// It serves several users.
    pub serves_several: bool,
}

impl Purpose {
    fn audience(self) -> Audience {
        if self.serves_several { Audience::AllUsers } else { Audience::OwnUser }
    }
}

/// The folder that systemd made for the service comes before the user's own: a system service has no session.
fn default_endpoint(purpose: Purpose, lookup: Lookup<'_>) -> Result<Endpoint, EndpointError> {
    let folder =
        lookup("RUNTIME_DIRECTORY").map(PathBuf::from).filter(|folder| folder.is_absolute());
    match folder {
        Some(folder) if lookup("VALETKEY_SOCKET").is_none() => {
            Ok(Endpoint::at(folder.join("broker.sock")))
        }
        None if purpose.is_systems && lookup("VALETKEY_SOCKET").is_none() => {
            Ok(Endpoint::of_the_system())
        }
        _ => Endpoint::from_environment(lookup),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn check(is_systems: bool, environment: &[(&str, &str)], expected: &str) {
        let lookup = |name: &str| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        let purpose = Purpose { is_systems, serves_several: false };
        assert_eq!(default_endpoint(purpose, &lookup).unwrap().path(), Path::new(expected));
    }

    #[test]
    fn a_service_listens_in_the_folder_that_systemd_made() {
        let session = ("XDG_RUNTIME_DIR", "/nonexistent/user");
        let service = ("RUNTIME_DIRECTORY", "/run/valetkey");
        check(false, &[session, service], "/run/valetkey/broker.sock");
        check(false, &[session, service, ("VALETKEY_SOCKET", "/mine.sock")], "/mine.sock");
        #[cfg(not(target_os = "macos"))]
        check(false, &[session], "/nonexistent/user/valetkey/broker.sock");
        check(true, &[session], "/run/valetkey/broker.sock");
        check(true, &[session, service], "/run/valetkey/broker.sock");
        check(true, &[session, ("VALETKEY_SOCKET", "/mine.sock")], "/mine.sock");
    }
}
