//! Where the daemon keeps its state and finds its configuration (DESIGN.md section 5).

use std::ffi::OsString;
#[cfg(not(windows))]
use std::path::Path;
use std::path::PathBuf;

/// Reads an environment variable; an argument, so that a test needs no process of its own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The process's own environment.
pub fn process_environment(name: &str) -> Option<OsString> {
    // An empty variable counts as unset, as in the XDG specification.
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// There is no folder for the state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "find the state folder: neither VALETKEY_STATE_DIR nor {HOME} is set; set one, or pass --state-dir"
)]
pub struct NoStateDir;

/// The folder of the store; of the system's service it is where its unit has it.
///
/// # Errors
/// When the environment names none.
pub fn state_dir(lookup: Lookup<'_>, is_systems: bool) -> Result<PathBuf, NoStateDir> {
    if let Some(chosen) = lookup("VALETKEY_STATE_DIR") {
        return Ok(PathBuf::from(chosen));
    }
    if let Some(first) = folder_of_systemd("STATE_DIRECTORY", lookup) {
        return Ok(first);
    }
    // Typed by hand as well: root's own sign-ins are not those of the service.
    if cfg!(unix) && is_systems {
        return Ok(PathBuf::from("/var/lib/valetkey"));
    }
    base(lookup, "XDG_STATE_HOME", ".local/state").map(own_folder).ok_or(NoStateDir)
}

/// Where a configuration may be, in the order of looking; the first that exists is the one.
pub fn config_files(lookup: Lookup<'_>) -> Vec<PathBuf> {
    let own = base(lookup, "XDG_CONFIG_HOME", ".config").map(own_folder);
    let own = own.map(|folder| folder.join("config.toml"));
    own.into_iter().chain(shared_config_file(lookup)).collect()
}

/// The administrator's.
pub fn shared_config_file(lookup: Lookup<'_>) -> Option<PathBuf> {
    shared_config_folder(lookup).map(|folder| folder.join("config.toml"))
}

fn own_folder(base: PathBuf) -> PathBuf {
    base.join("valetkey")
}

/// Of the folders that systemd made for the service. StateDirectory= may name several; the first is ours by our own unit.
pub fn folder_of_systemd(variable: &str, lookup: Lookup<'_>) -> Option<PathBuf> {
    lookup(variable).and_then(first_of_list)
}

fn first_of_list(value: OsString) -> Option<PathBuf> {
    std::env::split_paths(&value).next().filter(|path| !path.as_os_str().is_empty())
}

#[cfg(not(windows))]
const HOME: &str = "HOME";
#[cfg(windows)]
const HOME: &str = "LOCALAPPDATA";

#[cfg(not(windows))]
fn base(lookup: Lookup<'_>, variable: &str, below_home: &str) -> Option<PathBuf> {
    lookup(variable)
        .map(PathBuf::from)
        .or_else(|| lookup(HOME).map(|home| Path::new(&home).join(below_home)))
}

/// The XDG variables win here too, for those who set them; else the user's local application data.
#[cfg(windows)]
fn base(lookup: Lookup<'_>, variable: &str, _below_home: &str) -> Option<PathBuf> {
    lookup(variable).or_else(|| lookup(HOME)).map(PathBuf::from)
}

#[cfg(not(windows))]
fn shared_config_folder(_lookup: Lookup<'_>) -> Option<PathBuf> {
    Some(Path::new("/etc/valetkey").into())
}

#[cfg(windows)]
fn shared_config_folder(lookup: Lookup<'_>) -> Option<PathBuf> {
    lookup("PROGRAMDATA").map(|base| own_folder(PathBuf::from(base)))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], state: Result<&str, NoStateDir>, config: &str) {
        let lookup = |name: &str| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        assert_eq!(state_dir(&lookup, false), state.map(PathBuf::from), "{environment:?}");
        let config_files = config_files(&lookup);
        assert_eq!(config_files.first().map(PathBuf::as_path), Some(Path::new(config)));
        assert_eq!(
            config_files.last().map(PathBuf::as_path),
            Some(Path::new("/etc/valetkey/config.toml"))
        );
    }

    #[test]
    fn the_users_choice_beats_systemd_which_beats_the_xdg_folders() {
        let home = ("HOME", "/h");
        let below_home = "/h/.config/valetkey/config.toml";
        check(&[], Err(NoStateDir), "/etc/valetkey/config.toml");
        check(&[home], Ok("/h/.local/state/valetkey"), below_home);
        check(
            &[home, ("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "/c")],
            Ok("/s/valetkey"),
            "/c/valetkey/config.toml",
        );
        let systemd = ("STATE_DIRECTORY", "/var/lib/valetkey:/var/lib/other");
        check(&[home, systemd], Ok("/var/lib/valetkey"), below_home);
        check(&[home, systemd, ("VALETKEY_STATE_DIR", "/mine")], Ok("/mine"), below_home);
    }

    #[test]
    fn the_systems_service_never_takes_roots_own_store() {
        for (environment, expected) in [
            (&[("HOME", "/root"), ("XDG_STATE_HOME", "/s")][..], "/var/lib/valetkey"),
            (&[("HOME", "/root"), ("STATE_DIRECTORY", "/var/lib/other")], "/var/lib/other"),
            (&[("VALETKEY_STATE_DIR", "/mine")], "/mine"),
        ] {
            let lookup = |name: &str| {
                environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(state_dir(&lookup, true), Ok(PathBuf::from(expected)));
        }
    }
}
