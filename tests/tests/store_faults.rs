//! A store that is damaged, newer, or without its key: what is damaged is set aside by name, and what is not is left alone.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use valetkey_testkit::entra::{Options, Rotation};
use valetkey_tests::{ALICE, Machine, World};

/// Each refresh token is good for one use: a lost one would mean a new sign-in.
fn strictly_rotating() -> Options {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    options
}

/// A machine on which Alice has signed in and no daemon runs.
async fn stopped_world() -> World {
    let mut world = World::with(Machine::new(), strictly_rotating()).await;
    world.signed_in(ALICE).await;
    assert!(world.machine.stop().await.success());
    world
}

async fn check_still_signed_in(world: &World) {
    let mut caller = world.caller().await;
    assert_eq!(caller.usernames().await, [ALICE]);
    caller.token(json!({"force_refresh": true})).await.success();
    let store = world.machine.status().await["store"].clone();
    assert_eq!((&store["unsaved"], &store["problems"]), (&json!(0), &json!([])));
}

/// Every file of a folder, by name.
fn read_all(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn replace(path: &Path, content: &[u8]) {
    let mut file = File::options().write(true).truncate(true).open(path).unwrap();
    file.write_all(content).unwrap();
}

/// Harm to the stopped store, by the file that is harmed; after it the daemon starts, names what it set aside, and a
/// person can sign in.
#[tokio::test]
async fn damage_is_set_aside_and_named() {
    let cut = |path: &Path| {
        let length = fs::metadata(path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
    };
    let empty = |path: &Path| replace(path, b"");
    let garbage = |path: &Path| {
        let length = fs::metadata(path).unwrap().len();
        replace(path, &vec![0xa5; usize::try_from(length).unwrap()]);
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    type Harm<'a> = (&'a str, &'a str, &'a dyn Fn(&Path), &'a str);
    let harms: [Harm<'_>; 9] = [
        ("database cut", "vault.redb", &cut, "vault.redb.damaged-"),
        ("database emptied", "vault.redb", &empty, "vault.redb.damaged-"),
        ("database overwritten", "vault.redb", &garbage, "vault.redb.damaged-"),
        ("database flipped", "vault.redb", &flip_every_page, "vault.redb.damaged-"),
        ("database gone", "vault.redb", &remove, "the stored records were gone"),
        ("header cut", "vault.header", &cut, "vault.header.damaged-"),
        ("header emptied", "vault.header", &empty, "vault.header.damaged-"),
        ("header flipped", "vault.header", &flip_every_page, "vault.header.damaged-"),
        ("header gone", "vault.header", &remove, "vault.redb.damaged-"),
    ];
    for (name, file, harm, problem) in harms {
        let mut world = stopped_world().await;
        harm(&world.machine.state_dir().join(file));
        world.machine.launch().await;
        let problems = world.machine.status().await["store"]["problems"].to_string();
        assert!(problems.contains(problem), "{name}: {problems}");
        assert!(world.machine.logs().contains(problem), "{name}: {}", world.machine.logs());
        if problem.ends_with("damaged-") {
            let kept = read_all(&world.machine.state_dir());
            let is_kept = |(path, _): &(PathBuf, _)| path.to_string_lossy().contains(problem);
            assert!(kept.iter().any(is_kept), "{name}: {kept:?}");
        }
        let mut caller = world.caller().await;
        assert_eq!(caller.token(json!({})).await.refusal(), (409, "sign_in_needed".to_owned()));
        caller.sign_in(world.control(), ALICE).await;
        world.machine.restart().await;
        assert_eq!(world.caller().await.usernames().await, [ALICE], "{name}");
    }
}

/// One bit in each page.
fn flip_every_page(path: &Path) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    for page in 0..length.div_ceil(4_096) {
        let at = page * 4_096 + 77.min(length - 1);
        if at < length {
            let mut byte = [0];
            file.seek(SeekFrom::Start(at)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[byte[0] ^ 0x10]).unwrap();
        }
    }
}

/// The note beside the database is a hint.
#[tokio::test]
async fn a_damaged_note_costs_nothing() {
    let mut world = stopped_world().await;
    replace(&world.machine.state_dir().join("vault.seen"), b"nonsense");
    world.machine.launch().await;
    check_still_signed_in(&world).await;
}

/// The daemon does not start, says why, and touches nothing; once the cause is gone, all is there.
async fn check_refused_untouched(
    name: &str,
    harm: impl Fn(&Path),
    words: &[&str],
    mend: impl Fn(&Path),
) {
    let mut world = stopped_world().await;
    let state = world.machine.state_dir();
    harm(&state);
    let before = read_all(&state);
    let said = world.machine.launch_in_vain().await;
    for word in words {
        assert!(said.contains(word), "{name}: {said:?} lacks {word:?}");
    }
    assert_eq!(read_all(&state), before, "{name}");
    mend(&state);
    world.machine.launch().await;
    check_still_signed_in(&world).await;
}

#[tokio::test]
async fn a_newer_store_is_left_to_the_newer_program() {
    let set_format = |state: &Path, from: &str, to: &str| {
        let path = state.join("vault.header");
        let header = fs::read_to_string(&path).unwrap();
        let line = header.lines().next().unwrap().replace(from, to);
        let digest: String =
            Sha256::digest(&line).iter().map(|byte| format!("{byte:02x}")).collect();
        replace(&path, format!("{line}\n{digest}\n").as_bytes());
    };
    let (ours, newer) = ("\"format\":2", "\"format\":3");
    check_refused_untouched(
        "newer",
        |state| set_format(state, ours, newer),
        &["format is 3", "update valetkey"],
        |state| set_format(state, newer, ours),
    )
    .await;
}

#[tokio::test]
async fn a_store_without_its_key_waits_for_it() {
    let key_of = |state: &Path| {
        let files = read_all(state);
        let is_key =
            |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("key-");
        files.into_iter().map(|(path, _)| path).find(is_key).unwrap()
    };
    let aside = |state: &Path| state.parent().unwrap().join("the-key");
    let back = std::sync::Mutex::new(PathBuf::new());
    check_refused_untouched(
        "key gone",
        |state| {
            *back.lock().unwrap() = key_of(state);
            fs::rename(key_of(state), aside(state)).unwrap();
        },
        &["key", "file"],
        |state| fs::rename(aside(state), &*back.lock().unwrap()).unwrap(),
    )
    .await;
}

#[tokio::test]
async fn a_state_folder_that_others_can_write_to_is_refused() {
    let chmod =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    check_refused_untouched(
        "lax folder",
        |state| chmod(state, 0o777),
        &["trust", "valetkey"],
        |state| chmod(state, 0o700),
    )
    .await;
    check_refused_untouched(
        "lax database",
        |state| chmod(&state.join("vault.redb"), 0o666),
        &["trust", "vault.redb"],
        |state| chmod(&state.join("vault.redb"), 0o600),
    )
    .await;
}

#[tokio::test]
async fn what_the_daemon_writes_is_for_its_user_alone() {
    let world = World::start().await;
    world.signed_in(ALICE).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.machine.state_dir()), 0o700);
    for (path, _) in read_all(&world.machine.state_dir()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
