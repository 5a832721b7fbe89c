//! Which ways are trusted, by what stands on them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

use tempfile::TempDir;

use super::*;
use crate::{create_folder, create_new, open_own, open_to_append, read_bytes, read_file};

/// Somebody who is neither we nor root; only root can hand something over to them.
const STRANGER: u32 = 12345;

/// What nobody else can do is not tested by anybody else; on CI nothing is skipped.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root || std::env::var("CI").as_deref() != Ok("true"), "on CI the tests are root");
    is_root
}

/// `a/b/c` in a folder of our own.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("a/b/c")).unwrap();
    for folder in ["a", "a/b", "a/b/c"] {
        set_mode(&place.path().join(folder), 0o755);
    }
    place
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn problem<T: std::fmt::Debug>(result: Result<T, PathError>) -> Option<(PathBuf, Problem)> {
    match result {
        Ok(_) => None,
        Err(PathError::Unsafe { path, problem }) => Some((path, problem)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_parent_that_others_can_write_to_is_refused_unless_it_is_sticky() {
    for (mode, is_trusted) in [
        (0o755, true),
        (0o700, true),
        (0o1777, true),
        (0o1770, true),
        (0o777, false),
        (0o775, false),
        (0o757, false),
        (0o2775, false),
    ] {
        for parent in ["a", "a/b"] {
            let place = place();
            let lax = place.path().join(parent);
            set_mode(&lax, mode);
            let expected = (lax, Problem::FolderWritableByOthers { mode });
            let found = problem(check_way_to(&place.path().join("a/b/c")));
            assert_eq!(found, (!is_trusted).then_some(expected), "{mode:o}");
        }
    }
}

#[test]
fn what_the_way_leads_to_is_the_callers_to_look_at() {
    let place = place();
    set_mode(&place.path().join("a/b/c"), 0o777);
    assert_eq!(problem(check_way_to(&place.path().join("a/b/c"))), None);
    assert!(problem(check_way_to(&place.path().join("a/b/c/none/at/all"))).is_some());
    assert_eq!(problem(check_way_to(&place.path().join("a/none/at/all"))), None);
}

#[test]
fn a_group_of_the_users_own_is_not_others() {
    for (mode, group, own_group, expected) in [
        (0o755, 7, None, false),
        (0o775, 7, None, true),
        (0o775, 7, Some(1000), true),
        (0o775, 1000, Some(1000), false),
        (0o777, 1000, Some(1000), true),
    ] {
        assert_eq!(can_others_write(mode, group, own_group), expected, "{mode:o} {group}");
    }
}

#[test]
fn a_parent_of_another_user_is_refused() {
    if !is_root() {
        return; // Nobody else can give a folder away.
    }
    let place = place();
    let foreign = place.path().join("a/b");
    chown(&foreign, Some(STRANGER), None).unwrap();
    let expected = (foreign, Problem::OtherOwner { owner: STRANGER });
    assert_eq!(problem(check_way_to(&place.path().join("a/b/c"))), Some(expected));
}

#[test]
fn a_link_is_followed_where_nobody_else_could_have_put_it() {
    for target in ["b", "../a/b", "/"] {
        let place = place();
        symlink(target, place.path().join("a/link")).unwrap();
        let found = check_way_to(&place.path().join("a/link/c"));
        assert_eq!(problem(found), None, "{target}");
    }
}

#[test]
fn a_link_in_a_shared_folder_is_refused_though_it_is_sticky() {
    let place = place();
    let link = place.path().join("a/link");
    symlink("b", &link).unwrap();
    set_mode(&place.path().join("a"), 0o1777);
    let expected = (link, Problem::LinkAmongOthers);
    assert_eq!(problem(check_way_to(&place.path().join("a/link/c"))), Some(expected));
}

#[test]
fn a_link_of_another_user_is_refused() {
    if !is_root() {
        return; // Nobody else can give a link away.
    }
    let place = place();
    let link = place.path().join("a/link");
    symlink("b", &link).unwrap();
    lchown(&link, Some(STRANGER), None).unwrap();
    let expected = (link, Problem::OtherOwner { owner: STRANGER });
    assert_eq!(problem(check_way_to(&place.path().join("a/link/c"))), Some(expected));
}

#[test]
fn what_a_link_leads_through_is_looked_at_as_well() {
    let place = place();
    symlink("a/b", place.path().join("link")).unwrap();
    let lax = place.path().join("a");
    set_mode(&lax, 0o777);
    let expected = (lax, Problem::FolderWritableByOthers { mode: 0o777 });
    assert_eq!(problem(check_way_to(&place.path().join("link"))), Some(expected));
}

#[test]
fn links_that_lead_in_a_circle_are_refused() {
    let place = place();
    symlink("two", place.path().join("one")).unwrap();
    symlink("one", place.path().join("two")).unwrap();
    let (_, found) = problem(check_way_to(&place.path().join("one"))).unwrap();
    assert_eq!(found, Problem::TooManyLinks);
}

#[test]
fn a_folder_is_created_private_with_its_parents_and_never_below_a_lax_one() {
    let place = place();
    let new = place.path().join("a/x/y");
    create_folder(&new).unwrap();
    for folder in [&new, new.parent().unwrap()] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
    }
    create_folder(&new).unwrap();
    set_mode(&place.path().join("a"), 0o777);
    assert!(problem(create_folder(&place.path().join("a/z"))).is_some());
    assert!(!place.path().join("a/z").exists());
}

#[test]
fn a_file_that_others_may_change_or_know_is_refused() {
    let place = place();
    let file = place.path().join("a/file");
    fs::File::create(&file).unwrap();
    for (mode, readers, expected) in [
        (0o600, Readers::OwnerAlone, None),
        (0o400, Readers::OwnerAlone, None),
        (0o644, Readers::Anybody, None),
        (0o444, Readers::Anybody, None),
        (0o644, Readers::OwnerAlone, Some(Problem::ReadableByOthers { mode: 0o644 })),
        (0o640, Readers::OwnerAlone, Some(Problem::ReadableByOthers { mode: 0o640 })),
        (0o620, Readers::OwnerAlone, Some(Problem::ReadableByOthers { mode: 0o620 })),
        (0o666, Readers::Anybody, Some(Problem::FileWritableByOthers { mode: 0o666 })),
        (0o664, Readers::Anybody, Some(Problem::FileWritableByOthers { mode: 0o664 })),
    ] {
        set_mode(&file, mode);
        let found = problem(read_file(&file, readers, 1)).map(|(_, problem)| problem);
        assert_eq!(found, expected, "{mode:o}");
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !is_root() {
        return; // Nobody else can give a file away.
    }
    let place = place();
    let file = place.path().join("a/file");
    fs::File::create(&file).unwrap();
    chown(&file, Some(STRANGER), None).unwrap();
    let expected = (file.clone(), Problem::OtherOwner { owner: STRANGER });
    assert_eq!(problem(read_file(&file, Readers::Anybody, 1)), Some(expected));
}

#[test]
fn a_secret_may_be_read_by_its_owner_and_by_the_services_own_group_alone() {
    for (readers, group, expected) in [
        (Readers::Anybody, 7, 0),
        (Readers::OwnerAlone, 7, 0o077),
        (Readers::OwnGroup, 7, 0o007),
        (Readers::OwnGroup, 8, 0o077),
    ] {
        assert_eq!(others_than(readers, group, Some(7)), expected, "{readers:?} {group}");
    }
    assert_eq!(others_than(Readers::OwnGroup, 0, None), 0o077, "root's group is nobody's own");
}

#[test]
fn a_secret_longer_than_any_honest_one_is_refused() {
    let place = place();
    let file = place.path().join("a/file");
    fs::File::create(&file).unwrap().write_all(&[b'x'; 5]).unwrap();
    set_mode(&file, 0o600);
    assert_eq!(read_bytes(&file, Readers::OwnGroup, 5).unwrap(), [b'x'; 5]);
    let expected = Some((file.clone(), Problem::TooLong { limit: 4 }));
    assert_eq!(problem(read_bytes(&file, Readers::OwnGroup, 4)), expected);
    assert_eq!(problem(read_file(&file, Readers::OwnGroup, 4)), expected);
    set_mode(&file, 0o644);
    let expected = (file.clone(), Problem::ReadableByOthers { mode: 0o644 });
    assert_eq!(problem(read_bytes(&file, Readers::OwnGroup, 5)), Some(expected));
}

fn make_pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_pipe_is_refused_and_its_writer_is_not_waited_for() {
    let place = place();
    let pipe = place.path().join("a/pipe");
    make_pipe(&pipe);
    set_mode(&pipe, 0o600);
    for readers in [Readers::Anybody, Readers::OwnerAlone, Readers::OwnGroup] {
        let expected = Some((pipe.clone(), Problem::NoRegularFile));
        assert_eq!(problem(read_bytes(&pipe, readers, 9)), expected, "{readers:?}");
    }
}

/// Opens `file` in a folder where `prepare` put something of that name beside a `victim`, which must stay as it was.
fn check_append(prepare: impl Fn(&Path, &Path), is_trusted: bool) {
    let place = place();
    let (file, victim) = (place.path().join("a/file"), place.path().join("a/victim"));
    fs::File::create(&victim).unwrap().write_all(b"precious").unwrap();
    set_mode(&victim, 0o600);
    prepare(&file, &victim);
    let opened = open_to_append(&file).map(|mut file| file.write_all(b"said"));
    assert_eq!(opened.is_ok(), is_trusted, "{opened:?}");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn only_a_file_of_our_own_is_written_to() {
    check_append(|_, _| {}, true);
    check_append(|file, victim| assert_eq!(fs::copy(victim, file).unwrap(), 8), true);
    check_append(|file, victim| symlink(victim, file).unwrap(), false);
    check_append(|file, _| symlink("nowhere", file).unwrap(), false);
    check_append(|file, victim| fs::hard_link(victim, file).unwrap(), false);
    check_append(|file, _| fs::create_dir(file).unwrap(), false);
    check_append(|file, _| make_pipe(file), false);
    let make_readable = |file: &Path, victim: &Path| {
        fs::copy(victim, file).unwrap();
        set_mode(file, 0o644);
    };
    check_append(make_readable, false);
    for lax in [0o777, 0o1777, 0o775] {
        check_append(|file, _| set_mode(file.parent().unwrap(), lax), false);
    }
}

/// What `open_own` says of `file` where `prepare` put something of that name beside a file `other`.
fn check_own(prepare: impl Fn(&Path, &Path), expected: Option<Problem>) {
    let place = place();
    let (file, other) = (place.path().join("a/file"), place.path().join("a/other"));
    fs::File::create(&other).unwrap();
    prepare(&file, &other);
    assert_eq!(problem(open_own(&file)).map(|(_, problem)| problem), expected);
}

#[test]
fn a_file_that_another_program_keeps_is_read_if_it_is_ours_and_no_link() {
    let make = |mode: u32| {
        move |file: &Path, _: &Path| {
            fs::File::create(file).unwrap();
            set_mode(file, mode);
        }
    };
    check_own(make(0o600), None);
    check_own(make(0o644), None);
    check_own(make(0o666), Some(Problem::FileWritableByOthers { mode: 0o666 }));
    check_own(|file, other| symlink(other, file).unwrap(), Some(Problem::Link));
    check_own(|file, _| fs::create_dir(file).unwrap(), Some(Problem::NoRegularFile));
    if is_root() {
        let give_away = |file: &Path, other: &Path| {
            fs::copy(other, file).unwrap();
            chown(file, Some(STRANGER), None).unwrap();
        };
        check_own(give_away, Some(Problem::OtherOwner { owner: STRANGER }));
    }
}

#[test]
fn a_new_file_is_private_and_in_the_place_of_nothing() {
    let place = place();
    let file = place.path().join("a/file");
    create_new(&file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let message = create_new(&file).unwrap_err().to_string();
    assert!(message.contains("exists"), "{message}");
    let link = place.path().join("a/link");
    symlink(place.path().join("a/elsewhere"), &link).unwrap();
    assert!(create_new(&link).is_err());
    for lax in [0o777, 0o1777, 0o775] {
        set_mode(&place.path().join("a"), lax);
        let (_, refused) = problem(create_new(&place.path().join("a/new"))).unwrap();
        let expected = match lax {
            0o1777 => Problem::SharedFolder { mode: lax },
            mode => Problem::FolderWritableByOthers { mode },
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn each_refusal_names_the_path_and_how_to_mend_it() {
    let place = place();
    let lax = place.path().join("a");
    set_mode(&lax, 0o777);
    let message = check_way_to(&lax.join("b")).unwrap_err().to_string();
    let expected = format!("trust {}: its mode 0777 lets others", lax.display());
    assert!(message.starts_with(&expected) && message.contains("`chmod go-w`"), "{message}");
}

/// Root alone may write to the way to it, so that root alone can have made what is there.
fn place_of_root() -> TempDir {
    let place = tempfile::tempdir_in("/var").unwrap();
    set_mode(place.path(), 0o755);
    fs::create_dir(place.path().join("service")).unwrap();
    place
}

#[test]
fn root_puts_a_user_in_charge_of_a_folder_where_nobody_else_can() {
    assert_eq!(find_keeper(Path::new("/")), Some(0));
    assert_eq!(find_keeper(Path::new("relative")), None);
    assert_eq!(find_keeper(&place().path().join("a")), None, "everybody can make one in /tmp");
    if !is_root() {
        eprintln!("not run, for it takes root: folders that root gave away");
        return;
    }
    let place = place_of_root();
    let folder = place.path().join("service");
    for (owner, mode, keeper) in [
        (0, 0o755, Some(0)),
        (STRANGER, 0o755, Some(STRANGER)),
        (STRANGER, 0o700, Some(STRANGER)),
        (STRANGER, 0o775, None),
        (STRANGER, 0o1777, None),
    ] {
        chown(&folder, Some(owner), None).unwrap();
        set_mode(&folder, mode);
        assert_eq!(find_keeper(&folder), keeper, "{owner} {mode:o}");
    }
    set_mode(&folder, 0o755);
    symlink("service", place.path().join("link")).unwrap();
    for (name, what) in [("link", "a link"), ("service/../service", "`..`"), ("nothing", "nothing")]
    {
        assert_eq!(find_keeper(&place.path().join(name)), None, "{what}");
    }
    fs::create_dir(folder.join("below")).unwrap();
    assert_eq!(find_keeper(&folder.join("below")), None, "in a folder of a user's");
    set_mode(place.path(), 0o1777);
    assert_eq!(find_keeper(&folder), None, "in a folder for everybody, sticky or not");
}
