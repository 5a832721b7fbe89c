//! Which folders and files are trusted, by owner, mode and links.

#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::tempdir;

use super::*;
use crate::error::UnsafePath;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn problem<T: std::fmt::Debug>(result: Result<T, VaultError>) -> UnsafePath {
    match result {
        Err(VaultError::Unsafe { problem, .. }) => problem,
        other => panic!("trusted: {other:?}"),
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    for (mode, trusted) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false)] {
        let dir = tempdir().unwrap();
        set_mode(dir.path(), mode);
        match StateDir::prepare(dir.path()) {
            Ok(_) => assert!(trusted, "{mode:o}"),
            refused => {
                assert!(!trusted, "{mode:o}");
                assert_eq!(problem(refused), UnsafePath::WritableByOthers { mode });
            }
        }
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let dir = tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    // Root gives a folder away; anyone else looks at one of root's.
    let (path, owner) = match own {
        0 => {
            std::os::unix::fs::chown(dir.path(), Some(12345), None).unwrap();
            (dir.path(), 12345)
        }
        _ => (Path::new("/etc"), 0),
    };
    assert_eq!(problem(StateDir::prepare(path)), UnsafePath::OtherOwner { owner, own });
}

#[test]
fn a_link_to_a_folder_is_followed_and_its_target_checked() {
    let dir = tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    set_mode(&target, 0o700);
    assert!(StateDir::prepare(&link).is_ok());
    set_mode(&target, 0o777);
    assert!(matches!(problem(StateDir::prepare(&link)), UnsafePath::WritableByOthers { .. }));
}

#[test]
fn a_store_below_a_parent_that_others_can_write_to_is_refused() {
    let dir = tempdir().unwrap();
    let lax = dir.path().join("lax");
    let state = lax.join("state");
    fs::create_dir_all(&state).unwrap();
    set_mode(&state, 0o700);
    set_mode(&lax, 0o777);
    let refused = StateDir::prepare(&state).unwrap_err();
    assert!(matches!(refused, VaultError::UnsafeWay(_)), "{refused:?}");
    let message = refused.to_string();
    let place = format!("trust {}: its mode 0777", lax.display());
    assert!(message.contains(&place) && message.contains("`chmod go-w`"), "{message}");
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    fs::File::create(&path).unwrap();
    assert!(StateDir::prepare(&path).is_err());
}

#[test]
fn a_file_that_is_a_link_or_open_to_others_is_refused() {
    let dir = tempdir().unwrap();
    let state = StateDir::prepare(dir.path()).unwrap();
    drop(state.create("sound").unwrap());
    assert!(state.open("sound").unwrap().is_some());
    assert!(state.open("missing").unwrap().is_none());

    symlink(state.path("sound"), state.path("link")).unwrap();
    assert_eq!(problem(state.open("link")), UnsafePath::SymbolicLink);
    symlink("nowhere", state.path("dangling")).unwrap();
    assert_eq!(problem(state.open("dangling")), UnsafePath::SymbolicLink);
    assert!(state.create("dangling").is_err());
    fs::create_dir(state.path("folder")).unwrap();
    assert_eq!(problem(state.open("folder")), UnsafePath::NotAFile);
    for mode in [0o640, 0o604, 0o620] {
        set_mode(&state.path("sound"), mode);
        assert_eq!(problem(state.open("sound")), UnsafePath::ReadableByOthers { mode });
    }
}

#[test]
fn a_linked_store_file_is_refused_whichever_it_is() {
    for name in ["vault.header", "vault.redb", "vault.lock", "vault.seen"] {
        let dir = tempdir().unwrap();
        let mut options = crate::OpenOptions::new(dir.path(), 0);
        options.key = crate::KeyChoice::Only(crate::KeyProvider::File);
        drop(crate::open(&options).unwrap());
        let (file, moved) = (dir.path().join(name), dir.path().join("moved"));
        fs::rename(&file, &moved).unwrap();
        symlink(&moved, &file).unwrap();
        assert_eq!(problem(crate::open(&options)), UnsafePath::SymbolicLink, "{name}");
    }
}

#[test]
fn a_replaced_file_is_whole_and_private() {
    let dir = tempdir().unwrap();
    let state = StateDir::prepare(dir.path()).unwrap();
    // A left-over of a kill must not stop the next attempt.
    drop(state.create("f.new").unwrap());
    for content in [b"first".as_slice(), b"2"] {
        state.replace("f", content).unwrap();
        assert_eq!(state.read("f").unwrap().as_deref(), Some(content));
    }
    assert_eq!(fs::metadata(state.path("f")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!state.exists("f.new"));
}
