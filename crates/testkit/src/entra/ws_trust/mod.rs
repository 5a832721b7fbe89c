//! An emulated ADFS as a federation service: the metadata document and the two `usernamemixed` endpoints (WS-Trust 2005
//! and 1.3), where a federated user's password buys the assertion that Entra then takes.

mod assertion;
mod request;

use super::federation::AUDIENCE;
use super::message::{Reply, Request};
use super::origin::base_url_for;
use super::state::{State, User};
use super::template::Html;
pub(crate) use assertion::IssuedAssertion;
use request::{Fault, SecurityTokenRequest};

/// Which WS-Trust; ADFS has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Feb2005,
    V13,
}

impl Version {
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Feb2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
        }
    }
}

/// `/adfs/services/trust/mex`
pub(crate) fn describe(state: &State, request: &Request) -> Reply {
    let base_url = base_url_for(&state.base_url, request);
    let document = Html::fill(include_str!("mex.xml"), &[("base", Html::text(&base_url))]);
    xml(200, "text/xml; charset=utf-8", document)
}

/// `/adfs/services/trust/{2005|13}/usernamemixed`. A SOAP fault has status 500, even when the password is wrong.
pub(crate) fn issue(state: &mut State, request: &Request) -> Reply {
    let version = if request.path.contains("/13/") { Version::V13 } else { Version::Feb2005 };
    match try_issue(state, version, request) {
        Ok(envelope) => xml(200, SOAP, envelope),
        Err(fault) => xml(500, SOAP, write_fault(&fault)),
    }
}

fn try_issue(state: &mut State, version: Version, request: &Request) -> Result<Html, Fault> {
    let asked = SecurityTokenRequest::read(version, request)?;
    asked.check_period(state.clock.now())?;
    if asked.applies_to != AUDIENCE {
        return Err(Fault::new("InvalidScope", "MSIS3020: No relying party has this name."));
    }
    let user = authenticate(state, &asked)?;
    let assertion = assertion::issue(state, &user);
    let template = match version {
        Version::Feb2005 => include_str!("answer-2005.xml"),
        Version::V13 => include_str!("answer-13.xml"),
    };
    let text = Html::text;
    Ok(Html::fill(
        template,
        &[
            ("relates_to", text(&asked.message_id)),
            ("created", text(&assertion.created)),
            ("expires", text(&assertion.expires)),
            ("audience", text(AUDIENCE)),
            ("assertion", assertion.xml),
            ("token_type", text(assertion.token_type)),
        ],
    ))
}

fn authenticate(state: &State, asked: &SecurityTokenRequest) -> Result<User, Fault> {
    let user = state.find_user(&asked.user_name).filter(|user| {
        state.find_federation(&user.name).is_some() && user.password == asked.password
    });
    user.cloned().ok_or_else(|| {
        Fault::new(
            "FailedAuthentication",
            "ID3242: The user name or the password could not be authenticated.",
        )
    })
}

fn write_fault(fault: &Fault) -> Html {
    let slots = [("subcode", Html::text(fault.subcode)), ("reason", Html::text(&fault.reason))];
    Html::fill(include_str!("fault.xml"), &slots)
}

fn xml(status: u16, content_type: &str, document: Html) -> Reply {
    Reply { status, headers: Vec::new(), body: document.into_string() }
        .with_header("content-type", content_type)
}

const SOAP: &str = "application/soap+xml; charset=utf-8";
