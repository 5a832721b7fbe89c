//! `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date.

use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use valetkey_model::UnixTime;

/// The longest wait that is believed, in seconds. Whoever is told longer would never come back.
pub const LONGEST_WAIT_SECONDS: i64 = 3600;

/// For how many seconds the provider asks to be left alone; a date that has passed is no wait.
pub fn parse_retry_after(headers: &HeaderMap, now: UnixTime) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds).min(LONGEST_WAIT_SECONDS));
    }
    Some(parse_time(text)?.seconds_since(now).clamp(0, LONGEST_WAIT_SECONDS))
}

/// What time it was at the provider when it answered (RFC 9110 section 6.6.1).
pub fn parse_date(headers: &HeaderMap) -> Option<UnixTime> {
    parse_time(headers.get(DATE)?.to_str().ok()?)
}

fn parse_time(text: &str) -> Option<UnixTime> {
    let seconds = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(UnixTime::from_seconds(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_become_a_wait() {
        let now = UnixTime::from_seconds(784_111_700);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(77)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(77)),
            ("Sun Nov  6 08:49:37 1994", Some(77)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(0)),
            ("999999999", Some(3600)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(parse_retry_after(&headers, now), expected, "{text:?}");
        }
        assert_eq!(parse_retry_after(&HeaderMap::new(), now), None);
    }
}
