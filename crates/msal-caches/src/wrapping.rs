//! The two shapes of a stored cache: JSON as it is, and JSON as base64, which MSAL.NET keeps in a keyring.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::SourceError;

/// The JSON text in either shape. Whether it is whole is for a parser to say.
pub(crate) fn unwrap(bytes: &[u8]) -> Result<Zeroizing<String>, SourceError> {
    let bytes = bytes.trim_ascii();
    if bytes.first() == Some(&b'{') {
        return text(bytes.to_vec());
    }
    let decoded = Zeroizing::new(STANDARD.decode(bytes).map_err(|_| SourceError::NotJson)?);
    match decoded.trim_ascii().first() {
        Some(b'{') => text(decoded.to_vec()),
        _ => Err(SourceError::NotJson),
    }
}

fn text(bytes: Vec<u8>) -> Result<Zeroizing<String>, SourceError> {
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        SourceError::NotJson
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_json_or_json_as_base64() {
        for (stored, expected) in [
            (&b" {\"a\": 1}\n"[..], Some("{\"a\": 1}")),
            (b"eyJhIjogMX0=", Some("{\"a\": 1}")),
            (b"eyJhIjogMX0=\n", Some("{\"a\": 1}")),
            (b"", None),
            (b"[1]", None),
            (b"WzFd", None),
            (b"\x01\x00\x00\x00\xd0\x8c\x9d\xdf", None),
            (b"{\"a\": \"\xff\"}", None),
        ] {
            let unwrapped = unwrap(stored).ok();
            assert_eq!(unwrapped.as_ref().map(|text| text.as_str()), expected, "{stored:?}");
        }
    }
}
