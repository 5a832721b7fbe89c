//! No room and no permission to write: the save fails by its kind, what was there stays, and a
//! later save works.
//!
//! The test is its own child. Once under a limit on file sizes, which every Unix has and which any
//! user may set: the shell ignores SIGXFSZ, so that the write fails instead. Once more on a real
//! file system of 3 MiB in a mount namespace, where the kernel lets us make one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(unix)]
mod common;

#[cfg(unix)]
fn main() {
    if common::is_listing("a_full_disk_loses_nothing") {
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("limited") => unix::fill_up(unix::Room::Limit, arguments[2].as_ref()),
        Some("mounted") => unix::fill_up(unix::Room::Disk, arguments[2].as_ref()),
        Some("read-only") => unix::open_read_only(arguments[2].as_ref()),
        _ => unix::run_all(),
    }
}

/// Windows has neither file size limits nor a file system that a test could mount.
#[cfg(not(unix))]
fn main() {
    println!("skipped: a full disk is tested on Unix");
}

#[cfg(unix)]
mod unix {
    use std::path::Path;
    use std::process::Command;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use valetkey_vault::{IoKind, KeyProvider, OpenOptions, Upkeep, Vault, VaultError};

    use crate::common::{NOW, only, open_file_store, options, put, ready, records};

    /// What is used up, and how room is made again.
    pub(super) enum Room {
        Limit,
        Disk,
    }

    pub(super) fn run_all() {
        let dir = tempfile::tempdir().unwrap();
        let this = std::env::current_exe().unwrap();
        let this = this.to_str().unwrap();
        let folder = dir.path().to_str().unwrap();

        let limited = format!("trap '' XFSZ; exec '{this}' limited '{folder}/limited'");
        assert!(run("sh", &["-c", &limited]), "under a limit on file sizes");

        let mounted = format!(
            "mount -t tmpfs -o size=3m,mode=700 tmpfs '{folder}' && '{this}' mounted '{folder}/state' \
             && mount -o remount,ro '{folder}' && '{this}' read-only '{folder}/state'"
        );
        let own_mounts = ["--user", "--map-root-user", "--mount"];
        // Root needs no user namespace, which many machines forbid.
        let own_mounts = match rustix::process::geteuid().is_root() {
            true => &own_mounts[2..],
            false => &own_mounts,
        };
        let arguments = |script| [own_mounts, &["sh", "-c", script]].concat();
        let mount = format!("mount -t tmpfs tmpfs '{folder}'");
        match run("unshare", &arguments(&mount)) {
            true => assert!(run("unshare", &arguments(&mounted)), "on a file system of its own"),
            false => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "on CI nothing is skipped");
                println!("skipped: this machine lets a test mount no file system of its own");
            }
        }
    }

    fn run(program: &str, arguments: &[&str]) -> bool {
        Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
    }

    /// Saves until there is no room, then makes room and saves again.
    pub(super) fn fill_up(room: Room, dir: &Path) {
        let mut vault = open_file_store(dir);
        vault.save("p", &[put("first", "1")]).unwrap();
        let options = options(dir, only(KeyProvider::File));
        if let Room::Limit = room {
            limit_files_to(Some(2 * 1024 * 1024));
        }
        let (saved, error) = save_until_it_fails(&vault);
        assert!(
            matches!(error, VaultError::Io { kind: IoKind::DiskFull, .. }),
            "no room is {error:?}"
        );
        let again = vault.save("p", &[put("large", [1; 100_000])]);
        assert!(matches!(again, Err(VaultError::Io { kind: IoKind::DiskFull, .. })), "{again:?}");
        let rotated = rotate(&mut vault, &options);
        assert!(
            matches!(rotated, Err(VaultError::Io { kind: IoKind::DiskFull, .. })),
            "{rotated:?}"
        );

        match room {
            Room::Limit => limit_files_to(None),
            Room::Disk => {
                let parent = dir.parent().unwrap().to_str().unwrap();
                assert!(run("mount", &["-o", "remount,size=32m", parent]), "make room");
            }
        }
        vault.save("p", &[put("later", "2")]).unwrap();
        check(&vault, saved);
        rotate(&mut vault, &options).unwrap();
        assert!(!vault.is_sealing_anew());
        check(&vault, saved);
        drop(vault);
        let vault = open_file_store(dir);
        check(&vault, saved);
        assert_eq!(vault.incidents(), []);
        println!("no room after {saved} saves; nothing was lost");
    }

    fn rotate(vault: &mut Vault, options: &OpenOptions) -> Result<(), VaultError> {
        vault.rotate_wrapping_key(KeyProvider::File, options)?;
        vault.rotate_data_keys(None, NOW)?;
        while vault.upkeep(options)? == Upkeep::More {}
        Ok(())
    }

    fn save_until_it_fails(vault: &Vault) -> (usize, VaultError) {
        (0..)
            .find_map(|n| {
                vault.save("p", &[put(&format!("{n}"), [n as u8; 20_000])]).err().map(|e| (n, e))
            })
            .unwrap()
    }

    fn check(vault: &Vault, saved: usize) {
        let found = records(vault, "p");
        assert_eq!(found.len(), saved + 2);
        assert_eq!((found["first"].as_slice(), found["later"].as_slice()), (&b"1"[..], &b"2"[..]));
        assert!((0..saved).all(|n| found[&n.to_string()] == [n as u8; 20_000]));
    }

    fn limit_files_to(bytes: Option<u64>) {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
    }

    /// A store on a file system without writing is an error of its kind.
    pub(super) fn open_read_only(dir: &Path) {
        let refused = ready(&options(dir, only(KeyProvider::File)));
        assert!(
            matches!(refused, Err(VaultError::Io { kind: IoKind::ReadOnly, .. })),
            "read-only is {refused:?}"
        );
        println!("a read-only file system is refused as such");
    }
}
