//! Signing client assertions (RFC 7523 section 3), with MSAL's header and claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use serde_json::{Map, Value, json};
use valetkey_model::{ClientId, CorrelationId, Secret, UnixTime};

use super::{ClientCertificate, CredentialError};
use crate::jws::SigningInput;

/// What an assertion says.
#[derive(Clone, Copy, Debug)]
pub struct ClientAssertion<'a> {
    /// The token endpoint; the central one, even when the request goes to a region.
    pub audience: &'a str,
    /// Who says so, of themselves.
    pub client_id: &'a ClientId,
    /// More claims of the application's. They come last and win over ours.
    pub client_claims: Option<&'a Map<String, Value>>,
    /// ADFS knows no PS256.
    pub for_adfs: bool,
}

/// An assertion, and how long to send it again instead of signing another.
#[derive(Clone, Debug)]
pub struct SignedAssertion {
    /// For [`crate::ClientAuthentication::Assertion`].
    pub token: Secret,
    /// When to sign a new one: a minute before this one expires.
    pub good_until: UnixTime,
}

impl SignedAssertion {
    /// Not before it was signed either: a clock that was put back would make it one from the future.
    pub fn is_good_at(&self, now: UnixTime) -> bool {
        now < self.good_until && now >= self.good_until.plus_seconds(-REUSE_SECONDS)
    }
}

impl ClientCertificate {
    /// PS256 and the certificate's SHA-256. RS256 and SHA-1 when the credential has a thumbprint, or for ADFS.
    ///
    /// MSAL pads thumbprints with `=` and leaves line breaks in `x5c`, against RFC 7515; here they are as the RFC says.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn sign_client_assertion(
        &self,
        assertion: &ClientAssertion<'_>,
        now: UnixTime,
        jti: [u8; 16],
    ) -> Result<SignedAssertion, CredentialError> {
        let sha256 = self.sha256.filter(|_| !assertion.for_adfs);
        let (mut header, encoding): (_, &'static dyn RsaEncoding) = match sha256 {
            Some(sha256) => (
                json!({"typ": "JWT", "alg": "PS256", "x5t#S256": URL_SAFE_NO_PAD.encode(sha256)}),
                &RSA_PSS_SHA256,
            ),
            None => (
                json!({"typ": "JWT", "alg": "RS256", "x5t": URL_SAFE_NO_PAD.encode(self.sha1)}),
                &RSA_PKCS1_SHA256,
            ),
        };
        if !self.x5c.is_empty() {
            header["x5c"] = json!(self.x5c);
        }
        let input = SigningInput::new(&header, &assertion.claims(now, jti));
        let signature = self.key.sign(encoding, input.as_bytes())?;
        let good_until = now.plus_seconds(REUSE_SECONDS);
        Ok(SignedAssertion { token: input.complete(&signature), good_until })
    }
}

impl ClientAssertion<'_> {
    fn claims(&self, now: UnixTime, jti: [u8; 16]) -> Value {
        let mut claims = json!({
            "aud": self.audience,
            "iss": self.client_id.as_str(),
            "sub": self.client_id.as_str(),
            "iat": now.seconds(),
            "exp": now.plus_seconds(LIFETIME_SECONDS).seconds(),
            // A UUID like any other, whatever it is otherwise used for.
            "jti": CorrelationId::from_random(jti).as_str(),
        });
        for (name, value) in self.client_claims.into_iter().flatten() {
            claims[name] = value.clone();
        }
        claims
    }
}

const LIFETIME_SECONDS: i64 = 600;
const REUSE_SECONDS: i64 = LIFETIME_SECONDS - 60;
