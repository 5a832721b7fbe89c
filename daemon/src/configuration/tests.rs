//! Which changes are seen, and what a bad one changes.

use std::fs::{File, FileTimes};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::*;

/// When all files of these tests were written.
const WRITTEN: u64 = 1_700_000_000;

struct Place {
    folder: TempDir,
    configuration: Configuration,
}

impl Place {
    fn with(content: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("own"), content);
        let files = ["own", "shared"].map(|name| folder.path().join(name)).to_vec();
        let configuration = Configuration::load(Source::of(files), soon()).unwrap();
        Self { folder, configuration }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("own")
    }

    fn look(&self) -> Arc<InForce> {
        self.configuration.read_if_changed(&mut self.configuration.seen.blocking_lock(), soon());
        self.configuration.in_force()
    }

    /// The declared names, and what is said to be wrong.
    fn check(&self, names: &[&str], problem: Option<&str>) {
        let in_force = self.look();
        let known: Vec<_> = in_force.apps().keys().map(String::as_str).collect();
        assert_eq!(known, names);
        let said = in_force.problem();
        assert_eq!(said.is_some(), problem.is_some(), "{said:?}");
        assert!(said.unwrap_or_default().contains(problem.unwrap_or_default()), "{said:?}");
    }
}

fn write(path: &Path, content: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let written = UNIX_EPOCH + Duration::from_secs(WRITTEN);
    file.set_times(FileTimes::new().set_modified(written)).unwrap();
}

/// So soon after the writing that the file system may count it as the same moment.
fn soon() -> UnixTime {
    UnixTime::from_seconds(WRITTEN.cast_signed() + 1)
}

fn app(name: &str) -> String {
    format!("[apps.{name}]\nclient_id = \"x\"\n")
}

#[test]
fn a_change_of_the_same_length_within_one_tick_of_the_file_system_is_seen() {
    let place = Place::with(&app("a"));
    place.check(&["a"], None);
    write(&place.path(), &app("b"));
    place.check(&["b"], None);
}

#[test]
fn a_file_that_was_put_in_the_place_of_another_is_seen() {
    let place = Place::with(&app("a"));
    let fresh = place.folder.path().join("fresh");
    write(&fresh, &app("b"));
    std::fs::rename(fresh, place.path()).unwrap();
    place.check(&["b"], None);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_of_until_it_is_mended() {
    let place = Place::with(&app("a"));
    write(&place.path(), "\n[vualt]\n");
    place.check(&["a"], Some("own:2: unknown key `vualt`"));
    write(&place.path(), &app("b"));
    place.check(&["b"], None);
}

#[test]
fn a_file_that_is_gone_changes_nothing_whatever_others_there_are() {
    let place = Place::with(&app("a"));
    std::fs::remove_file(place.path()).unwrap();
    place.check(&["a"], Some("is gone"));
    write(&place.folder.path().join("shared"), &app("b"));
    place.check(&["a"], Some("is gone"));
    write(&place.path(), &app("a"));
    place.check(&["a"], None);
}

#[test]
fn what_is_as_it_was_stays_the_same_value() {
    let place = Place::with(&app("a"));
    let before = place.look();
    assert!(Arc::ptr_eq(&before, &place.look()));
    place.configuration.read(&mut place.configuration.seen.blocking_lock(), soon());
    assert!(Arc::ptr_eq(&before, &place.look()));
    assert!(!before.epoch().is_over());
}

#[test]
fn what_was_decided_holds_until_something_changes_and_not_until_something_breaks() {
    let place = Place::with(&app("a"));
    let before = place.look();
    write(&place.path(), "[vualt]");
    place.check(&["a"], Some("vualt"));
    assert!(!before.epoch().is_over());
    write(&place.path(), &app("b"));
    place.check(&["b"], None);
    assert!(before.epoch().is_over());
    let before = place.look();
    place.configuration.renew();
    assert!(before.epoch().is_over() && !place.look().epoch().is_over());
}

#[test]
fn what_is_read_at_a_start_alone_is_named() {
    let place = Place::with(&app("a"));
    write(
        &place.path(),
        "[vault]\nkey = \"file\"\n[network]\ntimeout = 7\n[policy]\nauthorities = []\n",
    );
    place.check(&[], None);
    assert_eq!(place.configuration.waiting_for_restart(false), ["vault.key", "network.timeout"]);
    assert_eq!(place.configuration.waiting_for_restart(true), ["network.timeout"]);
    write(&place.path(), "");
    place.check(&[], None);
    assert!(place.configuration.waiting_for_restart(false).is_empty());
}

#[cfg(unix)]
#[test]
fn a_rule_for_somebody_who_is_not_there_is_refused_by_name_and_line() {
    let place = Place::with(&app("a"));
    write(&place.path(), "[[rules]]\nusers = [\"root\", 7, \"no-such-user\"]\ndeny = true\n");
    let expected =
        ":2: a rule names the user \"no-such-user\", who is none of this machine's; mend";
    place.check(&["a"], Some(expected));
    write(&place.path(), "[[rules]]\nusers = [\"root\", 7]\ndeny = true\n");
    place.check(&[], None);
    let in_force = place.look();
    let users = [0, 7].map(valetkey_model::Partition::of_uid);
    assert_eq!(in_force.policy().rules[0].who.users.as_deref(), Some(&users[..]));
}

#[tokio::test(start_paused = true)]
async fn a_file_system_that_does_not_answer_keeps_what_was_read_and_holds_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("own"), &app("a"));
    let source = Source::of(vec![folder.path().join("own")]);
    let configuration = Arc::new(Configuration::load(source, soon()).unwrap());
    let (server, answer) = std::sync::mpsc::channel::<()>();
    let hanging = configuration.in_time(move |_, _| assert!(answer.recv().is_err()));
    let (in_force, ()) = tokio::join!(hanging, tokio::time::advance(PATIENCE));
    assert!(in_force.problem().is_some_and(|it| it.contains("does not answer")));
    for _ in 0..3 {
        let in_force = configuration.look(soon()).await;
        assert_eq!(in_force.apps().keys().collect::<Vec<_>>(), ["a"]);
    }
    drop(server);
    drop(configuration.seen.lock().await);
    assert_eq!(configuration.look(soon()).await.problem(), None);
}

#[tokio::test]
async fn one_request_in_a_second_looks_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own");
    write(&path, &app("a"));
    let configuration =
        Arc::new(Configuration::load(Source::of(vec![path.clone()]), soon()).unwrap());
    let keep_up = async |seconds| {
        configuration.keep_up(soon().plus_seconds(seconds)).await;
        configuration.in_force().apps().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keep_up(1).await, ["a"]);
    write(&path, &app("b"));
    assert_eq!(keep_up(1).await, ["a"]);
    assert_eq!(keep_up(2).await, ["b"]);
    write(&path, &app("c"));
    assert_eq!(keep_up(1).await, ["c"], "a clock may be set back");
}
