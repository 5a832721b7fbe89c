//! What is an answer, and what is none.

use super::*;

/// Feeds an answer in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> Result<Option<(u16, Vec<u8>, bool)>, ProtocolError> {
    let mut incoming = Incoming::new();
    for piece in bytes.chunks(piece) {
        incoming.space()?[..piece.len()].copy_from_slice(piece);
        incoming.add(piece.len());
        if incoming.is_complete()? {
            let answer = incoming.answer();
            return Ok(Some((answer.status, answer.body.to_vec(), answer.keeps_alive)));
        }
    }
    Ok(None)
}

fn check(text: &str, expected: Result<Option<(u16, &str, bool)>, ProtocolError>) {
    let expected = expected
        .map(|answer| answer.map(|(status, body, keep)| (status, body.as_bytes().to_vec(), keep)));
    for piece in [text.len(), 7, 1] {
        assert_eq!(read(text.as_bytes(), piece), expected, "{text:?} in pieces of {piece}");
    }
}

#[test]
fn an_answer_is_whole_when_its_announced_body_is() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ok(Some((200, "{}", true))));
    check("HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n", Ok(Some((404, "", true))));
    check("HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n", Ok(Some((204, "", true))));
    check(
        "HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1",
        Ok(Some((503, "1", false))),
    );
    check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", Ok(None));
    check("HTTP/1.1 200 OK\r\ncontent-le", Ok(None));
}

#[test]
fn what_is_not_plain_http_1_1_is_refused() {
    check("SSH-2.0-OpenSSH_9.6\r\n", Err(ProtocolError::NotHttp));
    check("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", Err(ProtocolError::NotHttp));
    check("HTTP/1.1 100 Continue\r\n\r\n", Err(ProtocolError::NotHttp));
}

#[test]
fn a_body_without_one_clear_length_is_refused() {
    for headers in [
        "date: x",
        "content-length: 2\r\ncontent-length: 2",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked",
        "transfer-encoding: gzip",
        "content-length: -1",
        "content-length: +2",
        "content-length: 2, 2",
        "content-length:",
    ] {
        check(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"), Err(ProtocolError::NoLength));
    }
}

#[test]
fn endless_answers_are_refused_before_they_fill_the_memory() {
    for length in ["16777217", "99999999999999999999999"] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        check(&head, Err(ProtocolError::TooLarge));
    }
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(2 * MAX_HEAD));
    assert_eq!(read(endless.as_bytes(), 4096), Err(ProtocolError::TooLarge));
}

#[test]
fn more_than_announced_is_refused() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1";
    assert_eq!(read(text.as_bytes(), text.len()), Err(ProtocolError::Surplus));
}

#[test]
fn an_id_cannot_leave_its_segment() {
    assert_eq!(fill("/v1/apps/{app}/token", &["a-1"]), "/v1/apps/a-1/token");
    assert_eq!(
        fill("/v1/apps/{app}/accounts/{home_account_id}", &["a", "x/../y?z#ä"]),
        "/v1/apps/a/accounts/x%2F..%2Fy%3Fz%23%C3%A4"
    );
    assert_eq!(fill("/v1/status", &[]), "/v1/status");
}
