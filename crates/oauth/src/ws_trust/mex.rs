//! WS-MetadataExchange: a WSDL document that says which endpoints a domain has and what each takes.

use std::collections::{HashMap, HashSet};

use roxmltree::Node;
use url::Url;

use super::xml::{ADDRESSING, POLICY, UTILITY, children, find, parse, read_text, text_of};
use super::{WsTrustEndpoint, WsTrustError, WsTrustVersion};
use crate::HttpResponse;
use crate::discovery::{is_loopback_http, is_secure_for};

const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const WSDL_SOAP: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";
const SOAP_OVER_HTTP: &str = "http://schemas.xmlsoap.org/soap/http";

/// The two editions of WS-SecurityPolicy, and in which element of each a policy asks for a user name.
const SECURITY_POLICIES: [(&str, &str); 2] = [
    (
        "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702",
        "SignedEncryptedSupportingTokens",
    ),
    ("http://schemas.xmlsoap.org/ws/2005/07/securitypolicy", "SignedSupportingTokens"),
];

/// Finds the endpoint that takes user name and password over https in the document that was fetched from `metadata_url`;
/// one of WS-Trust 1.3 if there is one.
///
/// # Errors
/// When there is no such document, or no such endpoint in it.
pub fn parse_mex(
    metadata_url: &Url,
    response: &HttpResponse,
) -> Result<WsTrustEndpoint, WsTrustError> {
    match response.status {
        200..=299 => {}
        status @ (429 | 500..) => return Err(WsTrustError::Unavailable { status }),
        status => return Err(WsTrustError::UnexpectedStatus { status }),
    }
    let document = parse(read_text(response)?, response.status)?;
    let definitions = document.root_element();
    let bindings = find_bindings(definitions, &find_policies(definitions));
    let may_be_loopback = is_loopback_http(metadata_url);
    children(definitions, WSDL, "service")
        .flat_map(|service| children(service, WSDL, "port"))
        .filter_map(|port| {
            let version = *bindings.get(local_name(port.attribute("binding")?))?;
            let address = find(port, ADDRESSING, "EndpointReference")?;
            let url = Url::parse(&text_of(find(address, ADDRESSING, "Address")?)).ok()?;
            is_secure_for(may_be_loopback, &url).then_some(WsTrustEndpoint { url, version })
        })
        // The first of the best.
        .reduce(|best, next| if next.version > best.version { next } else { best })
        .ok_or(WsTrustError::NoEndpoint)
}

/// The names of the policies that ask for a user name within TLS.
fn find_policies<'a>(definitions: Node<'a, '_>) -> HashSet<&'a str> {
    let takes_password = |policy: &Node<'_, '_>| {
        SECURITY_POLICIES.into_iter().any(|(namespace, tokens)| {
            find(*policy, namespace, "TransportBinding").is_some()
                && find(*policy, namespace, tokens)
                    .and_then(|tokens| find(tokens, namespace, "UsernameToken"))
                    .is_some_and(|token| find(token, namespace, "WssUsernameToken10").is_some())
        })
    };
    children(definitions, POLICY, "Policy")
        .filter(takes_password)
        .filter_map(|policy| policy.attribute((UTILITY, "Id")))
        .collect()
}

/// The names of the bindings with one of these policies that issue tokens over HTTP.
fn find_bindings<'a>(
    definitions: Node<'a, '_>,
    policies: &HashSet<&str>,
) -> HashMap<&'a str, WsTrustVersion> {
    let version_of = |binding: Node<'a, '_>| {
        let policy = children(binding, POLICY, "PolicyReference").next()?.attribute("URI")?;
        policies.contains(policy.strip_prefix('#')?).then_some(())?;
        let transport = children(binding, WSDL_SOAP, "binding").next()?.attribute("transport")?;
        (transport == SOAP_OVER_HTTP).then_some(())?;
        let operation = children(binding, WSDL, "operation").next()?;
        let action = children(operation, WSDL_SOAP, "operation").next()?.attribute("soapAction")?;
        WsTrustVersion::from_action(action)
    };
    children(definitions, WSDL, "binding")
        .filter_map(|binding| Some((binding.attribute("name")?, version_of(binding)?)))
        .collect()
}

/// A qualified name without its prefix.
fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}
