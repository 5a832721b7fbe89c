//! PEM blocks in a text (RFC 7468), found as leniently as MSAL does: text around them, and line breaks that were lost on the
//! way through an environment variable, do not matter. Stricter readers refuse what works with MSAL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What stands between `BEGIN` and `END`.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    body: &'a str,
}

/// The blocks, in the order of the text. One that does not end is none.
pub(super) fn find_blocks(mut text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    while let Some((_, rest)) = text.split_once("-----BEGIN ") {
        text = rest;
        let Some((label, rest)) = rest.split_once("-----") else { break };
        let end = format!("-----END {label}-----");
        if let Some((body, rest)) = rest.split_once(end.as_str()) {
            blocks.push(Block { label, body });
            text = rest;
        }
    }
    blocks
}

impl Block<'_> {
    /// RFC 1421 section 4.6.1.1, the form before PKCS#8.
    pub(super) fn has_legacy_encryption(&self) -> bool {
        self.body.contains("Proc-Type:")
    }

    pub(super) fn decode(&self) -> Option<Zeroizing<Vec<u8>>> {
        decode_base64(self.body)
    }
}

/// Base64 with white space anywhere in it.
pub(super) fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    STANDARD.decode(&*compact).ok().map(Zeroizing::new)
}
