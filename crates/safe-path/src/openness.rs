//! What is more open to others than it has a use for: found to be told, or closed where closing it is enough.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::PathError;
use crate::platform;

/// For whom something of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeantFor {
    /// Nobody else reads it, changes it or passes through it.
    OwnerAlone,
    /// Others may use it, and not change it.
    Everybody,
}

/// Something of ours whose mode lets others do what they are not meant to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
    pub(crate) meant_for: MeantFor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    #[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere it is no file"))]
    Socket,
    File,
}

impl Open {
    /// True when others get at what is in it, or can replace it; false when something else keeps them out as well.
    pub fn is_bad(&self) -> bool {
        self.kind == Kind::File || (self.kind == Kind::Folder && self.mode & 0o022 != 0)
    }

    /// The command that closes it.
    pub fn remedy(&self) -> String {
        let mode = self.mode & !self.meant_for.forbidden();
        format!("chmod {mode:o} {}", quote(&self.path.display().to_string()))
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deed = match (self.kind, self.mode & 0o022 != 0) {
            (Kind::Folder, true) => "replace what is in it",
            (Kind::Folder, false) => "look into it",
            (Kind::Socket, _) => "knock at it",
            (Kind::File, true) => "change it",
            (Kind::File, false) => "read it",
        };
        write!(f, "{}: its mode {:04o} lets others {deed}", self.path.display(), self.mode)
    }
}

impl MeantFor {
    pub(crate) fn forbidden(self) -> u32 {
        match self {
            Self::OwnerAlone => 0o077,
            Self::Everybody => 0o022,
        }
    }
}

/// Whether others can do more with a folder, file or socket of ours than they are meant to. Of what is not there, is a link
/// or is somebody else's there is nothing to say here.
pub fn find_open(path: &Path, meant_for: MeantFor) -> Option<Open> {
    platform::find_open(path, meant_for)
}

/// The same of a private folder, which may be behind a link, of what is in it, and of what is in the folders in it.
pub fn find_open_in(folder: &Path) -> Vec<Open> {
    let here = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let within = list(&here).into_iter().flat_map(|path| {
        let further = list(&path);
        std::iter::once(path).chain(further)
    });
    let all = std::iter::once(here.clone()).chain(within);
    all.filter_map(|path| find_open(&path, MeantFor::OwnerAlone)).collect()
}

/// Sorted, so that the same is told twice in the same order. No link is followed.
fn list(folder: &Path) -> Vec<PathBuf> {
    let is_folder = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
    let entries = is_folder.then(|| fs::read_dir(folder).ok()).flatten();
    let mut paths: Vec<_> =
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Closes a folder of ours to others, unless they could write to it: what they may have put there would not leave with them.
/// Answers the mode that it had, if it was open.
///
/// # Errors
/// When it is not there or not to be trusted, or its mode cannot be changed.
pub fn close_folder(folder: &Path) -> Result<Option<u32>, PathError> {
    crate::check_way_to(folder)?;
    platform::close_folder(folder).map_err(|error| PathError::io("close", folder, error))
}

/// As a shell reads it back.
fn quote(path: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic in a test's own helper is a failed test")]

    use std::fs::{File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    fn check(path: &Path, mode: u32, meant_for: MeantFor, expected: Option<(&str, &str, bool)>) {
        set(path, mode);
        let found = find_open(path, meant_for);
        let told = found.as_ref().map(|open| (open.to_string(), open.remedy(), open.is_bad()));
        let shown = path.display();
        let expected = expected.map(|(deed, remedy, is_bad)| {
            let what = format!("{shown}: its mode {mode:04o} lets others {deed}");
            (what, format!("{remedy} {shown}"), is_bad)
        });
        assert_eq!(told, expected, "{mode:o} {meant_for:?}");
    }

    #[test]
    fn what_others_can_do_is_told_with_the_command_that_ends_it() {
        let place = tempfile::tempdir().unwrap();
        let (folder, file) = (place.path().join("folder"), place.path().join("file"));
        let socket = place.path().join("socket");
        fs::create_dir(&folder).unwrap();
        File::create(&file).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        use MeantFor::{Everybody, OwnerAlone};
        check(&folder, 0o700, OwnerAlone, None);
        check(&folder, 0o711, OwnerAlone, Some(("look into it", "chmod 700", false)));
        check(&folder, 0o777, OwnerAlone, Some(("replace what is in it", "chmod 700", true)));
        check(&folder, 0o755, Everybody, None);
        check(&folder, 0o775, Everybody, Some(("replace what is in it", "chmod 755", true)));
        check(&file, 0o600, OwnerAlone, None);
        check(&file, 0o644, OwnerAlone, Some(("read it", "chmod 600", true)));
        check(&file, 0o666, OwnerAlone, Some(("change it", "chmod 600", true)));
        check(&socket, 0o600, OwnerAlone, None);
        check(&socket, 0o666, OwnerAlone, Some(("knock at it", "chmod 600", false)));
    }

    #[test]
    fn a_folder_is_looked_at_with_all_that_is_in_it_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("a b'c"), place.path().join("link"));
        fs::create_dir_all(folder.join("audit")).unwrap();
        symlink(&folder, &link).unwrap();
        symlink(place.path(), folder.join("away")).unwrap();
        for name in ["key", "audit/log"] {
            File::create(folder.join(name)).unwrap();
        }
        for name in ["", "key", "audit", "audit/log"] {
            set(&folder.join(name), 0o755);
        }
        let remedies: Vec<_> = find_open_in(&link).iter().map(Open::remedy).collect();
        let quoted = format!("'{}/a b'\\''c", place.path().canonicalize().unwrap().display());
        assert_eq!(
            remedies,
            ["'", "/audit'", "/audit/log'", "/key'"]
                .map(|rest| format!("chmod 700 {}{rest}", quoted))
        );
        assert_eq!(find_open_in(&place.path().join("missing")), []);
    }

    #[test]
    fn a_folder_that_others_could_not_write_to_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for (before, after) in
            [(0o755, 0o700), (0o711, 0o700), (0o700, 0o700), (0o777, 0o777), (0o770, 0o770)]
        {
            set(&folder, before);
            let had = close_folder(&folder).unwrap();
            assert_eq!(had, (before != after).then_some(before), "{before:o}");
            assert_eq!(mode(&folder), after, "{before:o}");
        }
        assert!(close_folder(&place.path().join("missing")).is_err());
    }
}
