//! Which endpoint of a domain is chosen.

use super::*;

const SP_2007: &str = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702";
const SP_2005: &str = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy";

/// A WSDL document in ADFS's shape with one policy, binding and port for each of `parts`.
fn wsdl(parts: &[Part]) -> String {
    let (mut policies, mut bindings, mut ports) = (String::new(), String::new(), String::new());
    for (number, part) in parts.iter().enumerate() {
        let Part { security, tokens, transport, action, address } = part;
        policies += &format!(
            "<wsp:Policy u:Id=\"p{number}\"><wsp:ExactlyOne><wsp:All xmlns:sp=\"{security}\">{transport}\
             <sp:{tokens}><wsp:Policy><sp:UsernameToken><wsp:Policy><sp:WssUsernameToken10/></wsp:Policy>\
             </sp:UsernameToken></wsp:Policy></sp:{tokens}></wsp:All></wsp:ExactlyOne></wsp:Policy>"
        );
        bindings += &format!(
            "<wsdl:binding name=\"b{number}\"><wsp:PolicyReference URI=\"#p{number}\"/>\
             <soap12:binding transport=\"http://schemas.xmlsoap.org/soap/http\"/>\
             <wsdl:operation name=\"Trust\"><soap12:operation soapAction=\"{action}\"/></wsdl:operation>\
             </wsdl:binding>"
        );
        ports += &format!(
            "<wsdl:port name=\"n{number}\" binding=\"tns:b{number}\"><soap12:address location=\"x\"/>\
             <a:EndpointReference><a:Address> {address} </a:Address></a:EndpointReference></wsdl:port>"
        );
    }
    format!(
        "<wsdl:definitions xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:wsp=\"{}\" \
         xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" xmlns:a=\"{}\" xmlns:u=\"{}\" \
         xmlns:tns=\"urn:t\">{policies}{bindings}<wsdl:service>{ports}</wsdl:service></wsdl:definitions>",
        xml::POLICY,
        xml::ADDRESSING,
        xml::UTILITY
    )
}

#[derive(Clone, Copy)]
struct Part {
    security: &'static str,
    tokens: &'static str,
    transport: &'static str,
    action: &'static str,
    address: &'static str,
}

const V13: Part = Part {
    security: SP_2007,
    tokens: "SignedEncryptedSupportingTokens",
    transport: "<sp:TransportBinding/>",
    action: "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue",
    address: "https://fs.c.com/13",
};
const V2005: Part = Part {
    security: SP_2005,
    tokens: "SignedSupportingTokens",
    action: "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue",
    address: "https://fs.c.com/2005",
    ..V13
};

fn check(
    metadata_url: &str,
    status: u16,
    body: &str,
    expected: Result<(&str, WsTrustVersion), WsTrustError>,
) {
    let metadata_url = Url::parse(metadata_url).unwrap();
    let found = parse_mex(&metadata_url, &HttpResponse::test(status, body));
    let found = found.as_ref().map(|endpoint| (endpoint.url.as_str(), endpoint.version));
    assert_eq!(found, expected.as_ref().copied(), "{body:.400}");
}

#[test]
fn the_newer_edition_is_preferred_wherever_it_stands() {
    let chosen = |parts: &[Part], expected| {
        check("https://fs.c.com/mex", 200, &wsdl(parts), expected);
    };
    let newer = || Ok(("https://fs.c.com/13", WsTrustVersion::V13));
    let older = || Ok(("https://fs.c.com/2005", WsTrustVersion::V2005));
    chosen(&[V13, V2005], newer());
    chosen(&[V2005, V13], newer());
    chosen(&[V13, Part { address: "https://fs.c.com/second", ..V13 }], newer());
    chosen(&[V2005], older());
    // What is not for us does not stand in the way.
    for unfit in [
        Part { address: "http://fs.c.com/13", ..V13 },
        Part { address: "http://127.0.0.1/13", ..V13 },
        Part { address: "certificatemixed", ..V13 },
        Part { transport: "", ..V13 },
        Part { tokens: "EndorsingSupportingTokens", ..V13 },
        Part { security: "urn:other", ..V13 },
        Part { action: "urn:other", ..V13 },
    ] {
        chosen(&[unfit, V2005], older());
        chosen(&[unfit], Err(WsTrustError::NoEndpoint));
    }
}

#[test]
fn a_domain_on_loopback_may_have_its_endpoint_there() {
    let part = Part { address: "http://127.0.0.1:8000/13", ..V13 };
    let expected = Ok(("http://127.0.0.1:8000/13", WsTrustVersion::V13));
    check("http://127.0.0.1:8000/mex", 200, &wsdl(&[part]), expected);
}

#[test]
fn an_answer_that_is_no_metadata_is_told_as_such() {
    for (status, body, error) in [
        (200, "<a/>", WsTrustError::NoEndpoint),
        (200, "{}", WsTrustError::NotXml { status: 200 }),
        (302, "", WsTrustError::UnexpectedStatus { status: 302 }),
        (404, "", WsTrustError::UnexpectedStatus { status: 404 }),
        (429, "", WsTrustError::Unavailable { status: 429 }),
        (503, "", WsTrustError::Unavailable { status: 503 }),
    ] {
        check("https://fs.c.com/mex", status, body, Err(error));
    }
}
