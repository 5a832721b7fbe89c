//! When parts leave memory, how many there may be, and which processes have opened what of them.

use super::*;

/// A process of a user's.
fn caller(uid: u32, process: u32) -> Caller {
    Caller {
        partition: Partition::of_uid(uid),
        process: Some(ProcessId { number: process, started: 0 }),
        program: None,
        program_file: None,
        groups: Vec::new(),
    }
}

fn user() -> Caller {
    caller(1000, 1)
}

fn part(number: usize) -> Partition {
    user().partition.private(&number.to_string())
}

fn swept(parts: &InMemory, now: UnixTime) -> Vec<Partition> {
    parts.sweep(now).into_iter().map(|(_, part)| part).collect()
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

#[test]
fn what_nobody_uses_is_forgotten_after_ten_minutes_and_not_before() {
    let parts = InMemory::default();
    let (held, _) = parts.enter(&user(), &part(0)).unwrap();
    drop(parts.enter(&user(), &part(1)).unwrap());
    for (seconds, forgotten) in [(0, vec![]), (599, vec![]), (600, vec![part(1)]), (9000, vec![])] {
        assert_eq!(swept(&parts, at(seconds)), forgotten, "{seconds}");
    }
    drop(held);
    assert_eq!(swept(&parts, at(9001)), []);
    assert_eq!(swept(&parts, at(9601)), [part(0)]);
}

#[test]
fn who_comes_back_in_time_finds_it_and_has_another_ten_minutes() {
    let parts = InMemory::default();
    drop(parts.enter(&user(), &part(0)).unwrap());
    assert_eq!(swept(&parts, at(0)), []);
    drop(parts.enter(&user(), &part(0)).unwrap());
    assert_eq!(swept(&parts, at(700)), []);
    assert_eq!(swept(&parts, at(1299)), []);
    assert_eq!(swept(&parts, at(1300)), [part(0)]);
}

#[test]
fn it_is_in_use_until_the_last_connection_lets_go() {
    let parts = InMemory::default();
    let (first, _) = parts.enter(&user(), &part(0)).unwrap();
    let (second, _) = parts.enter(&user(), &part(0)).unwrap();
    drop(first);
    assert_eq!(swept(&parts, at(0)), []);
    assert_eq!(swept(&parts, at(10_000)), []);
    drop(second);
    assert_eq!(swept(&parts, at(20_000)), []);
    assert_eq!(swept(&parts, at(20_600)), [part(0)]);
}

/// What `process` holds after it has opened as many of its own as it may.
fn fill(parts: &InMemory, process: u32, make: impl Fn(usize) -> Partition) -> Vec<Use> {
    let open = |number| parts.enter(&caller(1000, process), &make(number)).map(|(held, _)| held);
    (process as usize * 1000..).map(open).map_while(Result::ok).collect()
}

#[test]
fn too_many_of_one_user_are_refused_unless_one_is_unused() {
    let stored = |number: usize| user().partition.of_application(&number.to_string());
    for (make, limit, what) in [
        (&part as &dyn Fn(usize) -> Partition, 256, "private caches"),
        (&stored, 512, "credentials"),
    ] {
        let parts = InMemory::default();
        let (mut held, rest) = (fill(&parts, 1, make), fill(&parts, 2, make));
        assert_eq!((held.len(), rest.len()), (limit / 4 * 3, limit / 4), "no process has them all");
        for (process, words) in [(1, "this process"), (3, "this user's programs")] {
            let refused = parts.enter(&caller(1000, process), &make(9)).unwrap_err().to_string();
            assert!(refused.contains(words) && refused.contains(what), "{refused}");
        }
        assert!(parts.enter(&user(), &make(1000)).is_ok(), "one that is there needs no room");
        assert!(parts.enter(&caller(1001, 1), &make(8)).is_ok());
        drop(held.remove(7));
        parts.sweep(at(0));
        drop(held.remove(7));
        let (_held, replaced) = parts.enter(&caller(1000, 3), &make(9)).unwrap();
        assert_eq!(replaced, Some(make(1007)), "the one that was unused for the longest time");
    }
}

#[test]
fn among_several_users_each_has_less() {
    let parts = InMemory::among_several();
    let held = fill(&parts, 1, part);
    let refused = parts.enter(&user(), &part(1)).unwrap_err().to_string();
    assert!(held.len() == 24 && refused.starts_with("24 private caches"), "{refused}");
    assert!(parts.enter(&caller(1001, 1), &Partition::of_uid(1001).private("x")).is_ok());
}

#[test]
fn what_a_users_programs_share_stays_as_long_as_one_of_them_and_takes_no_others_place() {
    let parts = InMemory::among_several();
    let home = user().partition;
    let (first, second) = (parts.stay(&home), parts.stay(&home));
    let stored = |number: usize| home.of_application(&number.to_string());
    assert_eq!(fill(&parts, 1, stored).len() + fill(&parts, 2, stored).len(), 64);
    assert_eq!(swept(&parts, at(0)).len(), 0);
    drop(first);
    assert_eq!(swept(&parts, at(600)).len(), 64);
    drop(second);
    assert_eq!(swept(&parts, at(700)), []);
    drop(parts.stay(&home));
    assert_eq!(swept(&parts, at(1299)), []);
    assert_eq!(swept(&parts, at(1899)), [home]);
}

#[test]
fn what_nobody_holds_any_more_is_counted_down_to_nothing() {
    let parts = InMemory::default();
    let stored = |number: usize| user().partition.of_application(&number.to_string());
    let held = fill(&parts, 1, stored);
    let count = held.len();
    drop(held);
    assert_eq!(parts.sweep(at(0)), []);
    let gone = parts.sweep(at(600));
    assert_eq!((gone.len(), parts.parts().len()), (count, 0));
    parts.put_back(&user().partition, stored(7));
    assert_eq!(swept(&parts, at(601)), []);
    assert_eq!(swept(&parts, at(1201)), [stored(7)], "it is tried again");
}

#[test]
fn one_that_was_closed_is_begun_anew_by_whoever_still_holds_it() {
    let parts = InMemory::default();
    let (held, _) = parts.enter(&user(), &part(0)).unwrap();
    parts.close(&part(0));
    drop(parts.enter(&user(), &part(0)).unwrap());
    drop(held);
    assert_eq!(swept(&parts, at(0)), []);
    assert_eq!(swept(&parts, at(600)), [part(0)]);
}

#[test]
fn what_a_process_has_opened_is_known_until_it_closes_it_or_the_part_has_left() {
    let parts = InMemory::default();
    let (process, other) = (caller(1000, 1), caller(1000, 2));
    let taken_over =
        Caller { program_file: Some(FileId { device: 1, inode: 1 }), ..process.clone() };
    let app = AppId::from_text("app");
    let held = parts.enter(&process, &part(0)).unwrap();
    parts.note_opening(&process, &part(0), &app, Some("reports"));
    let known = Some((part(0), Some("reports".to_owned())));
    for (caller, expected) in [
        (&process, known),
        (&other, None),
        (&taken_over, None),
        (&caller(1001, 1), None),
        (&Caller { process: None, ..process.clone() }, None),
    ] {
        assert_eq!(parts.openings_of(caller).len(), usize::from(expected.is_some()));
        assert_eq!(parts.find_opening(caller, &app), expected, "{caller:?}");
    }
    for number in 0..MOST_OPENINGS {
        let number = u32::try_from(number).unwrap();
        parts.note_opening(&caller(1000, 100 + number), &part(0), &app, None);
    }
    assert_eq!(parts.find_opening(&process, &app), None, "the oldest made room");
    parts.note_opening(&process, &part(0), &app, None);
    parts.forget_opening(&other, &app);
    assert_eq!(parts.find_opening(&process, &app), Some((part(0), None)));
    parts.forget_opening(&process, &app);
    assert_eq!(parts.find_opening(&process, &app), None);
    parts.note_opening(&process, &part(0), &app, None);
    drop(held);
    parts.sweep(at(0));
    parts.sweep(at(600));
    assert_eq!(parts.find_opening(&process, &app), None);
}
