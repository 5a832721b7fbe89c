//! What goes over the wire, and what the other process does with it.

use super::*;
use valetkey_model::FileId;

#[test]
fn what_was_seen_is_read_as_it_was_written() {
    let file = Some(FileId { device: 1, inode: u64::MAX });
    for sight in [
        Sight::default(),
        Sight { program: Some("/usr/bin/mail".into()), program_file: file, flatpak: None },
        Sight { program: Some("".into()), program_file: None, flatpak: Some("org.mail".into()) },
    ] {
        assert_eq!(wire::read_sight(&wire::write_sight(&sight)), Some(sight));
    }
    let written = wire::write_sight(&Sight { program_file: file, ..Sight::default() });
    for length in 0..written.len() {
        assert_eq!(wire::read_sight(&written[..length]), None, "{length}");
    }
}

#[test]
fn a_program_is_named_once_and_no_other_is_started() {
    let mut watch = Watch { prompt: None, started: Vec::new() };
    let errno = |answer: io::Result<()>| answer.unwrap_err().raw_os_error();
    assert_eq!(errno(watch.start_prompt().map(drop)), Some(libc::ENOENT));
    watch.allow(b"").unwrap();
    assert_eq!(errno(watch.allow(b"/bin/cat")), Some(libc::EPERM));
    assert_eq!(errno(watch.start_prompt().map(drop)), Some(libc::ENOENT));
    let mut watch = Watch { prompt: None, started: Vec::new() };
    watch.allow(b"cat").unwrap();
    assert_eq!(errno(watch.start_prompt().map(drop)), Some(libc::ENOENT), "no path is searched");
}

#[test]
fn nobody_waits_twice_for_one_that_does_not_answer_and_the_end_of_one_is_told() {
    let (ours, theirs) = socket::pair(Duration::from_millis(50)).unwrap();
    let lookout = Lookout::at_the_end_of(ours);
    let next = || {
        let (question, _) = theirs.receive(Patience::None).ok()?;
        wire::parts(&question).ok().map(|(number, what, _)| (number, what))
    };
    assert!(lookout.answers());
    assert_eq!((lookout.look(7), lookout.look(8)), (None, None));
    assert!(!lookout.answers());
    let (number, what) = next().unwrap();
    assert_eq!((what, next()), (7, None), "it is asked one thing at a time");
    let seen = wire::write_sight(&Sight::default());
    theirs.send(&wire::message(number, 0, &seen), None).unwrap();
    assert_eq!(lookout.look(9), None);
    let (number, what) = next().unwrap();
    assert_eq!(what, 9, "what came late is heard, and no answer to this");
    assert!(!lookout.answers());
    theirs.send(&wire::message(number, 0, &seen), None).unwrap();
    drop(theirs);
    assert_eq!(lookout.look(10), None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(lookout.gone());
    assert!(lookout.asking.lock().unwrap().is_gone);
}
