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
