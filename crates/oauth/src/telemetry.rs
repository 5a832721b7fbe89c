//! What an application's next request tells Entra about its earlier calls (`spec/msal-python.md` section 2.2).

use valetkey_model::CorrelationId;

use crate::ApiId;

/// Entra drops longer headers.
const MAX_LENGTH: usize = 350;

/// Cache hits and failed calls since the last request that went well. One for each application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetryLog {
    hits: u64,
    calls: Vec<String>,
    errors: Vec<String>,
    length: usize,
}

impl TelemetryLog {
    /// The cache answered.
    pub fn record_hit(&mut self) {
        self.hits = self.hits.saturating_add(1);
    }

    /// A call failed with the OAuth code `error`. Dropped when the header is full.
    pub fn record_failure(&mut self, api: ApiId, correlation_id: &CorrelationId, error: &str) {
        let is_code = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
        let error: String = error.chars().filter(is_code).collect();
        let call = format!("{},{}", api.number(), correlation_id.as_str().replace(['|', ','], ""));
        let length = self.length + call.len() + error.len() + 2;
        if length < MAX_LENGTH {
            self.length = length;
            self.calls.push(call);
            self.errors.push(error);
        }
    }

    /// A request went well, so that Entra has what was recorded.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The value of `x-client-last-telemetry`.
    pub fn header(&self) -> String {
        format!("4|{}|{}|{}|", self.hits, self.calls.join(","), self.errors.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_and_failures_are_told_until_a_request_goes_well() {
        let id = CorrelationId::new("11111111-1111-4111-8111-111111111111").unwrap();
        let mut log = TelemetryLog::default();
        assert_eq!(log.header(), "4|0|||");
        log.record_hit();
        log.record_hit();
        log.record_failure(ApiId::Silent, &id, "invalid_grant");
        assert_eq!(log.header(), format!("4|2|84,{id}|invalid_grant|"));
        log.record_failure(ApiId::DeviceCode, &id, "expired|,\n_token");
        assert_eq!(log.header(), format!("4|2|84,{id},622,{id}|invalid_grant,expired_token|"));
        log.clear();
        assert_eq!(log.header(), "4|0|||");
    }

    #[test]
    fn the_header_stays_within_its_limit() {
        let id = CorrelationId::from_random([1; 16]);
        let mut log = TelemetryLog::default();
        for _ in 0..100 {
            log.record_failure(ApiId::Silent, &id, "invalid_grant");
        }
        assert_eq!(log.calls.len(), 6);
        assert!(log.header().len() < MAX_LENGTH);
    }
}
