//! Reading XML that others wrote, within bounds; and writing text that is safe in it.

use roxmltree::{Document, Node, ParsingOptions};

use super::WsTrustError;
use crate::HttpResponse;

/// The metadata of an ADFS is some 100 KiB.
const MAX_BYTES: usize = 512 * 1024;
const MAX_NODES: u32 = 50_000;

pub(super) const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
pub(super) const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
pub(super) const POLICY: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";
pub(super) const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// The body's text, if it is small enough to be looked at.
pub(super) fn read_text(response: &HttpResponse) -> Result<&str, WsTrustError> {
    let not_xml = WsTrustError::NotXml { status: response.status };
    match str::from_utf8(&response.body) {
        Ok(text) if text.len() <= MAX_BYTES => Ok(text),
        _ => Err(not_xml),
    }
}

/// The tree of `text`; neither document types nor entities are taken.
pub(super) fn parse(text: &str, status: u16) -> Result<Document<'_>, WsTrustError> {
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, entity_resolver: None };
    Document::parse_with_options(text, options).map_err(|_| WsTrustError::NotXml { status })
}

/// The children of that name.
pub(super) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name((namespace, name)))
}

/// The first element of that name anywhere below.
pub(super) fn find<'a, 'input>(
    node: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> Option<Node<'a, 'input>> {
    node.descendants().find(|found| found.has_tag_name((namespace, name)))
}

/// The text of an element, without the white space around it.
pub(super) fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

/// Appends `text` in such a way that it stays text; false when XML 1.0 cannot carry it (section 2.2).
pub(super) fn push_escaped(out: &mut String, text: &str) -> bool {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A parser makes a line feed of it otherwise (section 2.11).
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => return false,
            _ => out.push(character),
        }
    }
    true
}

/// The most that [`push_escaped`] makes of one byte.
pub(super) const LONGEST_ESCAPE: usize = 6;
