//! What a daemon sends, as the Rust SDK reads it: strictly, and the same in however many pieces it comes.

use valetkey_client::fuzzing::{judge_answer, read_answer, read_event_stream};

use crate::input::Input;

/// One byte for what it is, one for how it is cut, then the bytes.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let is_stream = input.byte() & 1 != 0;
    let size = usize::from(input.byte()).max(1);
    let bytes = input.rest();
    if is_stream { check_stream(bytes, size) } else { check_answer(bytes, size) }
}

fn check_answer(bytes: &[u8], size: usize) {
    let whole = read_answer([bytes]);
    // What came in one piece may have more behind the answer, which in pieces is not looked at any more.
    if let Ok(Some((status, body))) = &whole {
        let pieces = read_answer(bytes.chunks(size)).expect("the same answer in pieces");
        assert_eq!(pieces, Some((*status, body.clone())));
        assert!(*status >= 200 && bytes.ends_with(body));
        let judged = judge_answer(*status, body);
        assert!(*status < 400 || judged.is_err(), "an error is taken for a success");
    }
    if let Ok(None) = whole {
        let pieces = read_answer(bytes.chunks(size)).expect("half an answer in pieces");
        assert_eq!(pieces, None);
    }
}

fn check_stream(bytes: &[u8], size: usize) {
    let (whole, pieces) = (read_event_stream([bytes]), read_event_stream(bytes.chunks(size)));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        // An event that came before the stream went wrong is known only in pieces.
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("whole {whole:?}, in pieces {pieces:?}"),
    }
}
