//! WS-Trust from metadata to assertion, against documents in ADFS's shape.

mod mex;

use valetkey_model::{CorrelationId, Secret, UnixTime};

use super::*;
use crate::{Body, HttpRequest, HttpResponse, SamlVersion};

fn ask(version: WsTrustVersion, username: &str, password: &str) -> Result<HttpRequest, NotXmlText> {
    let url = Url::parse("https://fs.c.com/trust?a=1&b=2").unwrap();
    let request = WsTrustRequest {
        username: username.to_owned(),
        password: Secret::new(password.to_owned()),
        audience: "urn:federation:MicrosoftOnline".to_owned(),
        message_id: CorrelationId::new("0-1").unwrap(),
    };
    let now = UnixTime::from_seconds(951_782_399);
    build_ws_trust_request(&WsTrustEndpoint { url, version }, &request, now)
}

/// What a server that parses the envelope sees.
fn text_at(envelope: &str, name: &str) -> String {
    let document = roxmltree::Document::parse(envelope).unwrap();
    let node = document.descendants().find(|node| node.tag_name().name() == name);
    node.unwrap().text().unwrap_or_default().to_owned()
}

#[test]
fn an_envelope_says_what_was_typed_and_nothing_else() {
    let hostile = "</o:Password><x a=\"&lt;'\">]]>\r\n\tü";
    for (version, trust) in [
        (WsTrustVersion::V2005, "http://schemas.xmlsoap.org/ws/2005/02/trust"),
        (WsTrustVersion::V13, "http://docs.oasis-open.org/ws-sx/ws-trust/200512"),
    ] {
        let request = ask(version, "ann&bob@c.com", hostile).unwrap();
        assert_eq!(request.headers["soapaction"], format!("{trust}/RST/Issue"));
        let Body::Text { content_type, text, user } = &request.body else { panic!("no text") };
        assert_eq!(*content_type, "application/soap+xml; charset=utf-8");
        assert_eq!(user, "ann&bob@c.com");
        for (name, expected) in [
            ("Username", "ann&bob@c.com"),
            ("Password", hostile),
            ("To", "https://fs.c.com/trust?a=1&b=2"),
            ("MessageID", "urn:uuid:0-1"),
            ("Created", "2000-02-28T23:59:59Z"),
            ("Expires", "2000-02-29T00:09:59Z"),
            ("Action", &format!("{trust}/RST/Issue")),
            ("RequestType", &format!("{trust}/Issue")),
            ("KeyType", version.bearer_key()),
        ] {
            assert_eq!(text_at(text, name), expected, "{name}");
        }
        let document = roxmltree::Document::parse(text).unwrap();
        let token = xml::find(document.root_element(), trust, "RequestSecurityToken").unwrap();
        let audience = xml::find(token, xml::ADDRESSING, "Address").unwrap();
        assert_eq!(audience.text(), Some("urn:federation:MicrosoftOnline"));
    }
}

#[test]
fn a_password_that_xml_cannot_say_is_refused() {
    for (username, password) in [("ann", "a\0b"), ("an\u{1}n", "x"), ("ann", "\u{ffff}")] {
        assert_eq!(ask(WsTrustVersion::V13, username, password).err(), Some(NotXmlText));
    }
}

#[test]
fn the_longest_escapes_fit_the_buffer() {
    let request = ask(WsTrustVersion::V13, &"\"".repeat(1000), &"'".repeat(1000)).unwrap();
    let Body::Text { text, .. } = &request.body else { panic!("no text") };
    assert!(text.len() <= 4096 + 6 * (2000 + 30 + 30), "{}", text.len());
}

const SAML_1: &str = "urn:oasis:names:tc:SAML:1.0:assertion";
const SAML_2: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0";
/// White space, quotes and references that a parser would lose, and a signature would miss.
const ASSERTION: &str = "<saml:Assertion  xmlns:saml='urn:x'   ID = \"a\"><b>&#65;&amp;\r\n</b><c></c></saml:Assertion >";

fn answer(version: WsTrustVersion, token_type: &str, token: &str) -> String {
    let trust = version.namespace();
    format!(
        "<s:Envelope xmlns:s=\"{}\"><s:Body><t:RequestSecurityTokenResponseCollection xmlns:t=\"{trust}\">\
         <t:RequestSecurityTokenResponse><t:TokenType>{token_type}</t:TokenType>\
         </t:RequestSecurityTokenResponse>\
         <t:RequestSecurityTokenResponse><t:TokenType> {token_type} </t:TokenType>\
         <t:RequestedSecurityToken>\n {token} \n</t:RequestedSecurityToken>\
         </t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>",
        xml::SOAP
    )
}

fn check(status: u16, body: &str, expected: Result<(SamlVersion, &str), WsTrustError>) {
    let parsed = parse_ws_trust_response(&HttpResponse::test(status, body));
    let parsed = parsed.as_ref().map(|it| (it.version, it.xml.expose()));
    assert_eq!(parsed, expected.as_ref().copied(), "{status} {body:.200}");
}

#[test]
fn an_assertion_keeps_its_bytes() {
    for version in [WsTrustVersion::V2005, WsTrustVersion::V13] {
        for (token_type, language) in [(SAML_1, SamlVersion::V1), (SAML_2, SamlVersion::V2)] {
            let body = answer(version, token_type, ASSERTION);
            check(200, &body, Ok((language, ASSERTION)));
        }
    }
    let bom = format!(
        "\u{feff}<?xml version=\"1.0\"?>{}",
        answer(WsTrustVersion::V13, SAML_1, ASSERTION)
    );
    check(200, &bom, Ok((SamlVersion::V1, ASSERTION)));
}

#[test]
fn an_answer_without_a_usable_token_says_why() {
    let answer = |token_type, token| answer(WsTrustVersion::V13, token_type, token);
    for (status, body, error) in [
        (200, answer("urn:jwt", ASSERTION), WsTrustError::UnknownTokenType),
        (200, answer(SAML_1, "text"), WsTrustError::NoToken),
        (200, "<a/>".to_owned(), WsTrustError::NoToken),
        (200, "<html><br></html>".to_owned(), WsTrustError::NotXml { status: 200 }),
        (200, String::new(), WsTrustError::NotXml { status: 200 }),
        (302, answer(SAML_1, ASSERTION), WsTrustError::UnexpectedStatus { status: 302 }),
        (503, "down".to_owned(), WsTrustError::Unavailable { status: 503 }),
        (503, "<html/>".to_owned(), WsTrustError::Unavailable { status: 503 }),
        (429, String::new(), WsTrustError::Unavailable { status: 429 }),
    ] {
        check(status, &body, Err(error));
    }
}

#[test]
fn a_document_that_is_an_attack_is_no_xml() {
    let not_xml = || Err(WsTrustError::NotXml { status: 200 });
    check(200, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", not_xml());
    check(200, "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", not_xml());
    check(200, "<a>&b;</a>", not_xml());
    check(200, &format!("<a>{}</a>", "<b/>".repeat(60_000)), not_xml());
    check(200, &format!("<a>{}</a>", " ".repeat(600_000)), not_xml());
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = format!("{}{}", "<a>".repeat(40_000), "</a>".repeat(40_000));
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    let thread = small.spawn(move || check(200, &deep, Err(WsTrustError::NoToken)));
    thread.unwrap().join().unwrap();
}

#[test]
fn a_fault_is_told_by_its_finest_code_whatever_the_status() {
    let soap_1_2 = format!(
        "<s:Envelope xmlns:s=\"{}\" xmlns:o=\"urn:o\"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>\
         <s:Subcode><s:Value>o:FailedAuthentication</s:Value></s:Subcode></s:Code>\
         <s:Reason><s:Text xml:lang=\"en-US\">ID3242: no</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>",
        xml::SOAP
    );
    let soap_1_1 = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
                    <faultcode>s:Client</faultcode><faultstring>bad</faultstring></s:Fault></s:Body></s:Envelope>";
    let bare = format!("<s:Fault xmlns:s=\"{}\"/>", xml::SOAP);
    for (body, code, reason, is_wrong_password) in [
        (soap_1_2.as_str(), "FailedAuthentication", Some("ID3242: no"), true),
        (soap_1_1, "Client", Some("bad"), false),
        (&bare, "unknown", None, false),
    ] {
        let fault = SoapFault { code: code.to_owned(), reason: reason.map(str::to_owned) };
        assert_eq!(fault.is_wrong_password(), is_wrong_password);
        for status in [200, 400, 500] {
            check(status, body, Err(WsTrustError::Refused(Box::new(fault.clone()))));
        }
    }
}

#[test]
fn a_fault_with_an_endless_code_fits_into_a_log() {
    let namespace = "http://schemas.xmlsoap.org/soap/envelope/";
    let body = format!(
        "<s:Fault xmlns:s=\"{namespace}\"><faultcode>{}</faultcode></s:Fault>",
        "x".repeat(100_000)
    );
    let fault = SoapFault { code: "x".repeat(128), reason: None };
    check(500, &body, Err(WsTrustError::Refused(Box::new(fault))));
}

#[test]
fn a_fault_is_shown_without_its_reason() {
    let fault = SoapFault { code: "a\n".to_owned(), reason: Some("ann".to_owned()) };
    assert_eq!(format!("{fault:?}"), "SoapFault(a\\n)");
    assert!(!fault.to_string().contains("ann"), "{fault}");
}
