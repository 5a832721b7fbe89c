//! Which package brought a file, where packages are Debian's. (Others keep that in databases of their own formats.)

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// One list of files for each package, a path to a line (dpkg-query(1), `--listfiles`).
pub(super) const LISTS: &str = "/var/lib/dpkg/info";

/// The package in whose list the file is. Reads all lists up to there: some milliseconds.
pub(super) fn find_owner(lists: &Path, file: &Path) -> Option<String> {
    // Lists that are older than the merge of / into /usr name the file by its former path.
    let former = file.strip_prefix("/usr").ok().map(|rest| Path::new("/").join(rest));
    let names: Vec<_> =
        [Some(file), former.as_deref()].into_iter().flatten().map(as_bytes).collect();
    let list = fs::read_dir(lists)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|list| list.extension() == Some(OsStr::new("list")) && has_line(list, &names))?;
    package_of(&list)
}

fn has_line(list: &Path, names: &[&[u8]]) -> bool {
    let content = fs::read(list).unwrap_or_default();
    content.split(|byte| *byte == b'\n').any(|line| names.contains(&line))
}

fn as_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// `libc6:amd64.list` is of `libc6`.
fn package_of(list: &Path) -> Option<String> {
    let name = list.file_stem()?.to_str()?;
    Some(name.split(':').next().unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the modes of a package's list play no part")]

    use super::*;

    #[test]
    fn a_file_is_found_in_its_packages_list() {
        let lists = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("git.list", "/.\n/usr\n/usr/bin/git\n"),
            ("coreutils.list", "/bin\n/bin/sleep\n"),
            ("libc6:amd64.list", "/usr/lib/ld.so\n"),
            ("git.md5sums", "/usr/bin/only-here\n"),
            ("odd.list", "\u{fffd}\n/usr/bin/gitk"),
        ] {
            fs::write(lists.path().join(name), content).unwrap();
        }
        for (file, expected) in [
            ("/usr/bin/git", Some("git")),
            ("/usr/bin/gitk", Some("odd")),
            ("/usr/bin/sleep", Some("coreutils")),
            ("/usr/lib/ld.so", Some("libc6")),
            ("/usr/bin/gi", None),
            ("/usr/bin/only-here", None),
            ("/opt/ada/git", None),
        ] {
            let owner = find_owner(lists.path(), Path::new(file));
            assert_eq!(owner.as_deref(), expected, "{file}");
        }
        assert_eq!(find_owner(&lists.path().join("none"), Path::new("/usr/bin/git")), None);
    }
}
