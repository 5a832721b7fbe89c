//! How events are read from a stream, whole or in pieces.

use super::*;

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The kinds and times of the events in the bytes, which come in pieces of this size.
fn read(bytes: &str, piece: usize) -> Result<(Vec<(EventKind, i64)>, bool), ProtocolError> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    for piece in bytes.as_bytes().chunks(piece) {
        reader.feed(piece)?;
        while let Some(event) = reader.next_event()? {
            events.push((event.event, event.at));
        }
    }
    Ok((events, reader.has_ended()))
}

fn check(bytes: &str, events: &[(EventKind, i64)], has_ended: bool) {
    for piece in [bytes.len(), 5, 1] {
        let expected = Ok((events.to_vec(), has_ended));
        assert_eq!(read(bytes, piece), expected, "{bytes:?} in pieces of {piece}");
    }
}

fn check_refused(bytes: &str, error: ProtocolError) {
    for piece in [bytes.len(), 64 * 1024] {
        assert_eq!(read(bytes, piece), Err(error), "in pieces of {piece}");
    }
}

const REFRESHED: &str = "event: refreshed\ndata: {\"event\":\"refreshed\",\"at\":7,\"new\":1}\n\n";

#[test]
fn events_come_through_however_they_are_cut() {
    let signed_out = "event:signed_out\ndata:{\"event\":\"signed_out\",\ndata:\"at\":8}\n\n";
    let both = [(EventKind::Refreshed, 7), (EventKind::SignedOut, 8)];
    check(&chunk(&format!("{REFRESHED}{signed_out}")), &both, false);
    let (head, tail) = REFRESHED.split_at(20);
    check(&format!("{}{}{}", chunk(head), chunk(tail), chunk(signed_out)), &both, false);
}

#[test]
fn comments_and_kinds_of_a_newer_daemon_are_passed_over() {
    let newer = "event: of_tomorrow\ndata: {\"event\":\"of_tomorrow\",\"at\":1}\n\n";
    let bytes = format!("{}{}{}0\r\n\r\n", chunk(":\n\n"), chunk(newer), chunk(REFRESHED));
    check(&bytes, &[(EventKind::Refreshed, 7)], true);
}

#[test]
fn what_is_no_stream_of_events_is_refused() {
    check_refused("HTTP/1.1", ProtocolError::NotHttp);
    check_refused("1\r\nxyz", ProtocolError::NotHttp);
    let wrong = chunk("event: refreshed\ndata: {\"event\":\"refreshed\"}\n\n");
    check_refused(&wrong, ProtocolError::NotUnderstood { status: 200, column: 21 });
}

#[test]
fn an_event_without_an_end_does_not_fill_the_memory() {
    check_refused(&chunk(&"x".repeat(2 * LONGEST_EVENT)), ProtocolError::TooLarge);
}
