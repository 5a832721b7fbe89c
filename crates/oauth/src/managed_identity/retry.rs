//! When a source is asked once more, and after how long.
//!
//! Azure's guidance for the instance metadata service is to back off exponentially on 404 (it is being updated), 429 and
//! 5xx, and that a 410 is over within 70 seconds; MSAL for .NET and for Node agree on the numbers below, and ask every
//! other source three times more at one second's distance.

use std::time::Duration;

use super::SourceKind;

const EXPONENTIAL_RETRIES: u32 = 3;
/// As many as fill the 70 seconds.
const UPDATE_RETRIES: u32 = 7;
const UPDATE_WAIT: Duration = Duration::from_secs(10);
const LINEAR_RETRIES: u32 = 3;
const LINEAR_WAIT: Duration = Duration::from_secs(1);

/// How long to wait after the `attempt`th answer, counted from 1, before the next attempt; none when `status` will not
/// change or it was tried often enough. A `Retry-After` of the source's comes before it.
pub fn retry_after_attempt(source: SourceKind, attempt: u32, status: u16) -> Option<Duration> {
    let (retries, wait) = match (source, status) {
        (SourceKind::Imds, 410) => (UPDATE_RETRIES, UPDATE_WAIT),
        (SourceKind::Imds, 404 | 408 | 429 | 500..=599) => {
            let doublings = attempt.clamp(1, EXPONENTIAL_RETRIES) - 1;
            (EXPONENTIAL_RETRIES, Duration::from_secs(1 << doublings))
        }
        (SourceKind::Imds, _) => return None,
        (_, 404 | 408 | 429 | 500 | 503 | 504) => (LINEAR_RETRIES, LINEAR_WAIT),
        _ => return None,
    };
    (1..=retries).contains(&attempt).then_some(wait)
}
