//! Reading a `RequestSecurityToken`: who asks, with which password, until when, and for whom.

use roxmltree::{Document, Node};

use super::Version;
use crate::entra::clock::read_timestamp;
use crate::entra::message::Request;

/// How far the client's clock may be ahead.
const CLOCK_SKEW: i64 = 300;

/// The parts of the envelope that matter.
pub(super) struct SecurityTokenRequest {
    pub(super) message_id: String,
    pub(super) user_name: String,
    pub(super) password: String,
    pub(super) applies_to: String,
    created: i64,
    expires: i64,
}

/// A SOAP fault: what the sender did wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) subcode: &'static str,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(subcode: &'static str, reason: impl Into<String>) -> Self {
        Self { subcode, reason: reason.into() }
    }

    fn invalid_security(reason: impl Into<String>) -> Self {
        Self::new("InvalidSecurity", reason)
    }
}

impl SecurityTokenRequest {
    pub(super) fn read(version: Version, request: &Request) -> Result<Self, Fault> {
        let media_type = request.header("content-type").unwrap_or("");
        if request.method != "POST" || !media_type.starts_with("application/soap+xml") {
            return Err(Fault::new("InvalidRequest", "This endpoint takes a POST of SOAP 1.2."));
        }
        let document = Document::parse(&request.body).map_err(|error| {
            Fault::new("InvalidRequest", format!("The body is no XML: {error}."))
        })?;
        let action = find_text(&document, "Action")?;
        let namespace = version.namespace();
        if action != format!("{namespace}/RST/Issue") {
            let reason = format!("The action '{action}' is not supported at this endpoint.");
            return Err(Fault::new("ActionNotSupported", reason));
        }
        let body = find(&document, "RequestSecurityToken")?;
        if body.tag_name().namespace() != Some(namespace) {
            return Err(Fault::new(
                "InvalidRequest",
                "The request is of another WS-Trust version.",
            ));
        }
        Ok(Self {
            message_id: find_text(&document, "MessageID")?,
            user_name: find_text(&document, "Username")?,
            password: find_text(&document, "Password")?,
            applies_to: find_in(body, "Address")?,
            created: find_time(&document, "Created")?,
            expires: find_time(&document, "Expires")?,
        })
    }

    /// The `wsu:Timestamp`, against replay and clocks that are wrong.
    pub(super) fn check_period(&self, now: i64) -> Result<(), Fault> {
        if self.created <= now.saturating_add(CLOCK_SKEW) && now < self.expires {
            return Ok(());
        }
        Err(Fault::invalid_security("The message is not within its time range."))
    }
}

fn find<'a, 'i>(document: &'a Document<'i>, name: &str) -> Result<Node<'a, 'i>, Fault> {
    let found = document.descendants().find(|node| node.tag_name().name() == name);
    found.ok_or_else(|| Fault::invalid_security(format!("The message has no {name}.")))
}

fn find_text(document: &Document<'_>, name: &str) -> Result<String, Fault> {
    find(document, name).map(text_of)
}

fn find_in(node: Node<'_, '_>, name: &str) -> Result<String, Fault> {
    let found = node.descendants().find(|node| node.tag_name().name() == name);
    found.map(text_of).ok_or_else(|| Fault::invalid_security(format!("The request has no {name}.")))
}

fn find_time(document: &Document<'_>, name: &str) -> Result<i64, Fault> {
    let text = find_text(document, name)?;
    read_timestamp(&text)
        .ok_or_else(|| Fault::invalid_security(format!("{name} is no UTC time: '{text}'.")))
}

fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or("").to_owned()
}
