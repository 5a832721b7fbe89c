//! What the domain's identity provider answers: an assertion, or a SOAP fault.

use std::fmt;

use roxmltree::Node;
use valetkey_model::Secret;

use super::xml::{SOAP, children, find, parse, read_text, text_of};
use super::{WsTrustError, WsTrustVersion};
use crate::{HttpResponse, SamlAssertion, SamlVersion};

/// Older servers answer with SOAP 1.1.
const SOAP_1_1: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// How much of a fault's code is told, in characters: a line of a log must bear it. WS-Trust's longest has 30.
const MAX_CODE: usize = 128;

/// Names of the types of tokens.
const TOKEN_TYPES: [(&str, SamlVersion); 4] = [
    ("urn:oasis:names:tc:SAML:1.0:assertion", SamlVersion::V1),
    ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1", SamlVersion::V1),
    ("urn:oasis:names:tc:SAML:2.0:assertion", SamlVersion::V2),
    ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0", SamlVersion::V2),
];

/// Why the domain's identity provider issues no token. `Display` and `Debug` show the code alone: reasons may name users.
#[derive(Clone, PartialEq, Eq)]
pub struct SoapFault {
    /// The finest code without its prefix, such as `FailedAuthentication`.
    pub code: String,
    /// For people.
    pub reason: Option<String>,
}

impl SoapFault {
    /// True when user name or password are wrong (WS-Security's `FailedAuthentication`).
    pub fn is_wrong_password(&self) -> bool {
        self.code == "FailedAuthentication"
    }
}

/// Reads the answer. The status is looked at last: ADFS says 500 to a wrong password.
///
/// # Errors
/// When there is no assertion, with the reason if there is one.
pub fn parse_ws_trust_response(response: &HttpResponse) -> Result<SamlAssertion, WsTrustError> {
    let status = response.status;
    let read = || {
        let text = read_text(response)?;
        let document = parse(text, status)?;
        match find_assertion(document.root_element()) {
            Some((token_type, assertion)) => read_assertion(&token_type, &text[assertion.range()]),
            None => Err(find_fault(document.root_element())
                .map_or(WsTrustError::NoToken, |fault| WsTrustError::Refused(Box::new(fault)))),
        }
    };
    match (read(), status) {
        (Err(WsTrustError::NotXml { .. } | WsTrustError::NoToken), 429 | 500..) => {
            Err(WsTrustError::Unavailable { status })
        }
        (Ok(_), 300..) => Err(WsTrustError::UnexpectedStatus { status }),
        (read, _) => read,
    }
}

/// The first answer that has a token, and the token's type.
fn find_assertion<'a, 'input>(root: Node<'a, 'input>) -> Option<(String, Node<'a, 'input>)> {
    [WsTrustVersion::V13, WsTrustVersion::V2005].into_iter().find_map(|version| {
        let trust = version.namespace();
        let mut answers = root
            .descendants()
            .filter(|node| node.has_tag_name((trust, "RequestSecurityTokenResponse")));
        answers.find_map(|answer| {
            let token_type = children(answer, trust, "TokenType").next()?;
            let token = children(answer, trust, "RequestedSecurityToken").next()?;
            Some((text_of(token_type), token.first_element_child()?))
        })
    })
}

fn read_assertion(token_type: &str, xml: &str) -> Result<SamlAssertion, WsTrustError> {
    let known = TOKEN_TYPES.into_iter().find(|(name, _)| *name == token_type);
    let (_, version) = known.ok_or(WsTrustError::UnknownTokenType)?;
    Ok(SamlAssertion { version, xml: Secret::new(xml.to_owned()) })
}

fn find_fault(root: Node<'_, '_>) -> Option<SoapFault> {
    if let Some(fault) = find(root, SOAP, "Fault") {
        let codes = fault.descendants().filter(|node| node.has_tag_name((SOAP, "Value")));
        let reason = find(fault, SOAP, "Text").map(text_of);
        // A code comes before its sub-codes.
        return Some(SoapFault::new(codes.map(text_of).next_back(), reason));
    }
    let fault = find(root, SOAP_1_1, "Fault")?;
    let text = |name| fault.children().find(|child| child.has_tag_name(name)).map(text_of);
    Some(SoapFault::new(text("faultcode"), text("faultstring")))
}

impl SoapFault {
    fn new(code: Option<String>, reason: Option<String>) -> Self {
        let code = code.as_deref().and_then(|code| code.rsplit(':').next());
        let code = code.unwrap_or("unknown").chars().take(MAX_CODE).collect();
        Self { code, reason: reason.filter(|reason| !reason.is_empty()) }
    }
}

impl fmt::Display for SoapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "identity provider of the user's domain answered {}", self.code.escape_debug())
    }
}

impl fmt::Debug for SoapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoapFault({})", self.code.escape_debug())
    }
}

impl std::error::Error for SoapFault {}
