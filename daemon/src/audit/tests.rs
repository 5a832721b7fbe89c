//! The files, how fast they fill, and what is news.

use std::fs;

use valetkey_proto::v1::{AuditAct, AuditedProgram};

use super::files::Files;
use super::writer::Writer;
use super::*;

fn user(uid: u32) -> Partition {
    Partition::of_uid(uid)
}

fn record(at: i64, detail: &str) -> AuditRecord {
    let program = AuditedProgram {
        process: None,
        path: Some("/usr/bin/mailer".to_owned()),
        unidentified: None,
        script: None,
        unit: None,
        sandbox: None,
        parents: Vec::new(),
    };
    let deed = Deed::new(AuditAct::Denied).because(detail);
    deed.record(UnixTime::from_seconds(at), program)
}

fn details(records: &[AuditRecord]) -> Vec<&str> {
    records.iter().filter_map(|record| record.detail.as_deref()).collect()
}

#[cfg(unix)]
#[test]
fn each_user_has_a_record_that_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    assert!(files::read_last(&folder, &user(1), 9).unwrap().is_empty());
    let mut files = Files::new(folder.clone());
    for (uid, detail) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
        files.append(&user(uid), &record(1, detail)).unwrap();
    }
    for (uid, limit, expected) in
        [(1, 9, vec!["a", "c", "d"]), (1, 2, vec!["c", "d"]), (2, 9, vec!["b"]), (3, 9, vec![])]
    {
        assert_eq!(details(&files::read_last(&folder, &user(uid), limit).unwrap()), expected);
    }
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("uid-1.jsonl"))), (0o700, 0o600));
}

#[test]
fn a_line_that_was_broken_off_spoils_no_other() {
    use std::io::Write as _;

    let place = tempfile::tempdir().unwrap();
    let append = |detail| Files::new(place.path().into()).append(&user(1), &record(1, detail));
    append("before").unwrap();
    let path = place.path().join("uid-1.jsonl");
    let mut file = valetkey_safe_path::open_to_append(&path).unwrap();
    file.write_all(b"{\"at\": 1, \"act\": \"den\xff").unwrap();
    append("after").unwrap();
    let read = files::read_last(place.path(), &user(1), 9).unwrap();
    assert_eq!(details(&read), ["before", "after"]);
}

#[test]
fn full_files_make_room_and_the_oldest_goes() {
    let place = tempfile::tempdir().unwrap();
    let mut files = Files::new(place.path().into());
    let long = "x".repeat(400 * 1024);
    for number in 0..20 {
        files.append(&user(1), &record(number, &long)).unwrap();
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 8);
    let read = files::read_last(place.path(), &user(1), 100).unwrap();
    let times: Vec<_> = read.iter().map(|record| record.at).collect();
    assert_eq!(times, (4..20).collect::<Vec<_>>());
}

#[test]
fn who_does_much_pushes_nothing_out_and_what_was_not_written_is_counted() {
    let place = tempfile::tempdir().unwrap();
    let writer = Writer::start(place.path().into()).unwrap();
    for second in [0, 59, 60] {
        for _ in 0..300 {
            writer.write(&user(1), record(second, "much"), UnixTime::from_seconds(second));
            writer.flush();
        }
    }
    let read = files::read_last(place.path(), &user(1), 9999).unwrap();
    let lost: Vec<_> = read.iter().filter_map(|record| record.count).collect();
    assert_eq!((details(&read).len(), lost), (240, vec![480]));
}

#[test]
fn who_does_much_keeps_neither_others_nor_what_is_grave_from_being_recorded() {
    let place = tempfile::tempdir().unwrap();
    let writer = Writer::start(place.path().into()).unwrap();
    let write = |act, process, detail: &str| {
        let program = AuditedProgram { process: Some(process), ..AuditedProgram::default() };
        let deed = Deed::new(act).because(detail);
        let now = UnixTime::from_seconds(0);
        writer.write(&user(1), deed.record(now, program), now);
        writer.flush();
    };
    for _ in 0..1000 {
        write(AuditAct::Denied, 7, "much");
    }
    write(AuditAct::TokenGiven, 8, "another's");
    write(AuditAct::CacheExported, 7, "all at once");
    for process in 10..20 {
        for _ in 0..100 {
            write(AuditAct::Denied, process, "much");
        }
    }
    for _ in 0..1000 {
        write(AuditAct::SecretChanged, 9, "grave and much");
    }
    write(AuditAct::KeysRotated, 7, "after all others");
    let read = files::read_last(place.path(), &user(1), 9999).unwrap();
    let told: Vec<_> =
        details(&read).into_iter().filter(|detail| !detail.ends_with("much")).collect();
    assert_eq!(told, ["another's", "all at once", "after all others"]);
    assert_eq!(details(&read).len() - told.len(), 240 - 1 + 30);
}

#[test]
fn a_record_that_cannot_be_written_stops_nobody() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("audit");
    valetkey_safe_path::create_new(&folder).unwrap();
    let writer = Writer::start(folder.clone()).unwrap();
    let write = |detail| writer.write(&user(1), record(1, detail), UnixTime::from_seconds(1));
    write("in vain");
    writer.flush();
    fs::remove_file(&folder).unwrap();
    write("written");
    writer.flush();
    assert_eq!(details(&files::read_last(&folder, &user(1), 9).unwrap()), ["written"]);
}

#[test]
fn the_same_again_is_no_news_until_time_has_passed() {
    let digest = |act, detail, now| {
        let mut hasher = DefaultHasher::new();
        let deed = Deed::new(act).because(detail);
        deed.hash_news(UnixTime::from_seconds(now), &mut hasher);
        hasher.finish()
    };
    for (act, then, is_news) in [
        (AuditAct::Denied, 59, false),
        (AuditAct::Denied, 60, true),
        (AuditAct::ProofSigned, 3599, false),
        (AuditAct::ProofSigned, 3600, true),
        (AuditAct::CacheExported, 1, true),
    ] {
        assert_eq!(digest(act, "a", 0) != digest(act, "a", then), is_news, "{act:?} {then}");
        assert_ne!(digest(act, "a", 0), digest(act, "b", 0));
    }
}
