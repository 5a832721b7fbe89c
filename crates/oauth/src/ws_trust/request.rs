//! The message that asks for a token: a SOAP 1.2 envelope with the password in its header (WS-Security's UsernameToken).

use std::fmt::{self, Write as _};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use valetkey_model::{CorrelationId, Secret, UnixTime};
use zeroize::Zeroizing;

use super::xml::{ADDRESSING, LONGEST_ESCAPE, POLICY, SOAP, UTILITY, push_escaped};
use super::{WsTrustEndpoint, WsTrustVersion};
use crate::{Body, HttpRequest};

/// For how long a message is good; clocks may be some minutes apart.
const LIFETIME_SECONDS: i64 = 600;
/// What an envelope has beside the caller's texts, generously.
const ENVELOPE_BYTES: usize = 4096;
const SECURITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

/// What a person typed, and what is asked for.
#[derive(Clone, Debug)]
pub struct WsTrustRequest {
    /// The user's sign-in name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// See [`crate::FederatedDomain`].
    pub audience: String,
    /// A fresh one.
    pub message_id: CorrelationId,
}

/// XML has no way to say some control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("user name or password has a control character, which a federated domain cannot be sent")]
pub struct NotXmlText;

/// The message to `endpoint`.
///
/// # Errors
/// When the user name or the password cannot be said in XML.
pub fn build_ws_trust_request(
    endpoint: &WsTrustEndpoint,
    request: &WsTrustRequest,
    now: UnixTime,
) -> Result<HttpRequest, NotXmlText> {
    let action = HeaderValue::from_static(endpoint.version.action());
    let headers = HeaderMap::from_iter([(HeaderName::from_static("soapaction"), action)]);
    let mut post = HttpRequest::post(endpoint.url.clone(), headers, Vec::new());
    post.body = Body::Text {
        content_type: "application/soap+xml; charset=utf-8",
        text: write_envelope(endpoint, request, now)?,
        user: request.username.clone(),
    };
    Ok(post)
}

fn write_envelope(
    endpoint: &WsTrustEndpoint,
    request: &WsTrustRequest,
    now: UnixTime,
) -> Result<Zeroizing<String>, NotXmlText> {
    let (url, version) = (endpoint.url.as_str(), endpoint.version);
    let texts = [url, &request.username, request.password.expose(), &request.audience];
    // Room for the worst case, so that the buffer never moves and leaves a copy of the password behind.
    let room = texts.iter().map(|text| LONGEST_ESCAPE * text.len()).sum::<usize>();
    let mut out = Zeroizing::new(String::with_capacity(ENVELOPE_BYTES + room));
    let mut envelope = Envelope { out: &mut out, is_sayable: true };
    envelope.push_addressing(version, &request.message_id, url);
    envelope.push_security(request, now);
    envelope.push_body(version, &request.audience);
    if envelope.is_sayable { Ok(out) } else { Err(NotXmlText) }
}

struct Envelope<'a> {
    out: &'a mut String,
    is_sayable: bool,
}

impl Envelope<'_> {
    fn push_addressing(&mut self, version: WsTrustVersion, message_id: &CorrelationId, to: &str) {
        self.markup(format_args!(
            "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:a=\"{ADDRESSING}\" xmlns:u=\"{UTILITY}\"><s:Header>\
             <a:Action s:mustUnderstand=\"1\">{}</a:Action><a:MessageID>urn:uuid:",
            version.action()
        ));
        self.text(message_id.as_str());
        self.markup(format_args!(
            "</a:MessageID><a:ReplyTo><a:Address>{ADDRESSING}/anonymous</a:Address></a:ReplyTo>\
             <a:To s:mustUnderstand=\"1\">"
        ));
        self.text(to);
        self.markup(format_args!("</a:To>"));
    }

    fn push_security(&mut self, request: &WsTrustRequest, now: UnixTime) {
        let (created, expires) = (UtcTime(now), UtcTime(now.plus_seconds(LIFETIME_SECONDS)));
        self.markup(format_args!(
            "<o:Security s:mustUnderstand=\"1\" xmlns:o=\"{SECURITY}\"><u:Timestamp u:Id=\"_0\">\
             <u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>\
             <o:UsernameToken u:Id=\"user\"><o:Username>"
        ));
        self.text(&request.username);
        self.markup(format_args!("</o:Username><o:Password>"));
        self.text(request.password.expose());
        self.markup(format_args!("</o:Password></o:UsernameToken></o:Security></s:Header>"));
    }

    fn push_body(&mut self, version: WsTrustVersion, audience: &str) {
        let namespace = version.namespace();
        self.markup(format_args!(
            "<s:Body><t:RequestSecurityToken xmlns:t=\"{namespace}\"><p:AppliesTo xmlns:p=\"{POLICY}\">\
             <a:EndpointReference><a:Address>"
        ));
        self.text(audience);
        self.markup(format_args!(
            "</a:Address></a:EndpointReference></p:AppliesTo><t:KeyType>{}</t:KeyType>\
             <t:RequestType>{namespace}/Issue</t:RequestType></t:RequestSecurityToken></s:Body></s:Envelope>",
            version.bearer_key()
        ));
    }

    fn markup(&mut self, markup: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(markup);
    }

    fn text(&mut self, text: &str) {
        self.is_sayable &= push_escaped(self.out, text);
    }
}

/// XML Schema's `dateTime` in UTC, to the second.
struct UtcTime(UnixTime);

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400;
        let (days, second) = (self.0.seconds().div_euclid(DAY), self.0.seconds().rem_euclid(DAY));
        // Years that begin in March have their leap day last, so that months have a formula; an era has 400 years.
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_xml_schema_has_it() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(UtcTime(UnixTime::from_seconds(seconds)).to_string(), expected);
        }
    }
}
