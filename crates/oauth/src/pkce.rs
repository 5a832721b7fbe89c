//! The three random values of an authorization request, each with its own type: PKCE's verifier (RFC 7636), the state
//! (RFC 6749 section 10.12) and the nonce (OIDC Core section 3.1.2.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use valetkey_model::Secret;

/// Proves at the token endpoint that we are who asked for the code.
#[derive(Clone, Debug)]
pub struct PkceVerifier(Secret);

impl PkceVerifier {
    /// 43 characters, the shortest that RFC 7636 allows and as much as 32 bytes are worth.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A verifier that was kept; none when it is not one by RFC 7636 section 4.1.
    pub fn from_text(text: String) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let valid = (43..=128).contains(&text.len()) && text.bytes().all(allowed);
        let secret = Secret::new(text);
        valid.then_some(Self(secret))
    }

    /// The text, for the token request.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// `code_challenge` by the method S256.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose()))
    }
}

/// Ties a redirect to the request that it answers (RFC 6749 section 10.12).
#[derive(Clone)]
pub struct State(String);

impl State {
    /// 22 characters.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ties an ID token to the request that it answers. What is sent is a digest, so that who sees the URL does not know the
/// value itself.
#[derive(Clone, Debug)]
pub struct Nonce(Secret);

impl Nonce {
    /// 22 characters.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A nonce that was kept.
    pub fn from_text(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The raw value, for keeping.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What goes over the wire, and must come back: lower-case hexadecimal SHA-256.
    pub fn sent(&self) -> String {
        let digest = Sha256::digest(self.0.expose());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compares what came back, in constant time.
    pub fn matches(&self, given: &str) -> bool {
        bool::from(self.sent().as_bytes().ct_eq(given.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier =
            PkceVerifier::from_text("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(verifier.unwrap().challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        assert_eq!(PkceVerifier::from_random([0xff; 32]).secret().expose().len(), 43);
        for (text, valid) in [
            ("V".repeat(43), true),
            ("~".repeat(128), true),
            ("V".repeat(42), false),
            ("V".repeat(129), false),
            ("+".repeat(43), false),
        ] {
            assert_eq!(PkceVerifier::from_text(text.clone()).is_some(), valid, "{text}");
        }
    }

    #[test]
    fn state_and_nonce_are_the_random_bytes_in_url_safe_text() {
        assert_eq!(State::from_random([0xff; 16]).as_str(), "_____________________w");
        assert_eq!(Nonce::from_random([0xff; 16]).expose(), "_____________________w");
    }

    #[test]
    fn a_nonce_is_sent_as_its_sha_256() {
        let nonce = Nonce::from_text("abc".to_owned());
        let sent = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(nonce.sent(), sent);
        assert!(nonce.matches(sent) && !nonce.matches("abc"));
    }
}
