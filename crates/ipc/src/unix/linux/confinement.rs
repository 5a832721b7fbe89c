//! Whether a process is in a flatpak or a snap.
//!
//! A process that does not want to be seen makes itself one that cannot be dumped, and then its root and its namespaces are shown
//! to nobody of its user. Its control groups and its mounts are, to all who see the process at all (proc_pid_cgroup(5),
//! proc_pid_mountinfo(5)), and Landlock leaves them open as well.

use std::fs::File;
use std::io::Read as _;

use valetkey_model::{Confinement, Sandbox};

use super::cgroup::snap_of;
use super::read_proc;

/// `flatpak` is the name of the flatpak that the process is, where it shows that.
pub(super) fn confinement_of(number: u32, flatpak: Option<String>) -> Confinement {
    let cgroup = read_proc(number, "cgroup").unwrap_or_default();
    if let Some(name) = flatpak {
        return Confinement::Sandbox(Sandbox::Flatpak(name));
    }
    if let Some(name) = snap_of(&cgroup) {
        return Confinement::Sandbox(Sandbox::Snap(name.to_owned()));
    }
    match read_mounts(number) {
        Some(mounts) if shows_flatpak(&mounts) => {
            Confinement::Sandbox(Sandbox::Flatpak("?".to_owned()))
        }
        Some(_) => Confinement::Free,
        None => Confinement::Unknown,
    }
}

/// The whole table, or none of it. One that has ended has none.
fn read_mounts(number: u32) -> Option<Vec<u8>> {
    let mut mounts = Vec::new();
    let table = File::open(format!("/proc/{number}/mountinfo")).ok()?;
    table.take(LONGEST_TABLE).read_to_end(&mut mounts).ok()?;
    ((mounts.len() as u64) < LONGEST_TABLE).then_some(mounts)
}

/// Flatpak mounts what describes an application at the root that the application sees. The fifth column is where.
fn shows_flatpak(mounts: &[u8]) -> bool {
    let mut rows = mounts.split(|byte| *byte == b'\n');
    rows.any(|row| row.split(|byte| *byte == b' ').nth(4) == Some(b"/.flatpak-info"))
}

/// Some ten thousand mounts. Whoever may make mounts could have us read any number of them.
const LONGEST_TABLE: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";

    #[test]
    fn a_flatpak_is_known_by_its_mounts() {
        let check = |row: &str, expected: bool| {
            assert_eq!(shows_flatpak(format!("{ROOT}{row}").as_bytes()), expected, "{row}");
        };
        check("90 80 0:50 /x /.flatpak-info ro,nosuid - tmpfs tmpfs rw\n", true);
        check("90 80 0:50 /.flatpak-info /mnt ro,nosuid - tmpfs tmpfs rw\n", false);
        check("90 80 0:50 / /srv/.flatpak-info ro - tmpfs /.flatpak-info rw\n", false);
        check("", false);
    }

    #[test]
    fn a_process_is_free_until_it_has_ended() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("cat runs everywhere");
        assert_eq!(confinement_of(child.id(), None), Confinement::Free);
        let named = Confinement::Sandbox(Sandbox::Flatpak("org.app".to_owned()));
        assert_eq!(confinement_of(child.id(), Some("org.app".to_owned())), named);
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert_eq!(confinement_of(child.id(), None), Confinement::Unknown);
    }
}
