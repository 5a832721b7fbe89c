//! `application/x-www-form-urlencoded` (RFC 6749 appendix B), in a buffer that is zeroed.

use valetkey_oauth::Form;
use zeroize::Zeroizing;

/// The body, in the order of the fields.
pub(super) fn encode(fields: &Form) -> Zeroizing<Vec<u8>> {
    // Room for the worst case, so that the buffer never moves and leaves a copy behind.
    let room = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        append(&mut body, name);
        body.push(b'=');
        append(&mut body, value);
    }
    body
}

fn append(body: &mut Vec<u8>, text: &str) {
    for piece in url::form_urlencoded::byte_serialize(text.as_bytes()) {
        body.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_its_order_and_escapes_what_would_break_it() {
        let fields = [("scope", "a b+c"), ("code", "x&y=z%"), ("empty", ""), ("ü", "ü")];
        let form = fields.map(|(name, value)| (name.into(), Zeroizing::new(value.to_owned())));
        let encoded = encode(&form.into());
        assert_eq!(
            std::str::from_utf8(&encoded).unwrap(),
            "scope=a+b%2Bc&code=x%26y%3Dz%25&empty=&%C3%BC=%C3%BC"
        );
    }
}
