//! Service Fabric, whose endpoint has a certificate that nobody vouches for: the platform tells its thumbprint instead.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::{ManagedIdentityError, ManagedIdentityRequest, build_get, read_answer, secret_header};
use crate::json::read_text;
use crate::{HttpRequest, HttpResponse, Misbehaviour, TokenResponse, TokenResponseError};

/// The endpoint that the platform opens for one application. Only a server with [`ServiceFabric::thumbprint`]'s
/// certificate may be sent the request, and no proxy may stand in between.
#[derive(Clone, Debug)]
pub struct ServiceFabric {
    /// `IDENTITY_ENDPOINT`, which is https.
    pub endpoint: Url,
    /// `IDENTITY_HEADER`, by which the platform knows the application.
    pub secret: Secret,
    /// `IDENTITY_SERVER_THUMBPRINT`.
    pub thumbprint: Thumbprint,
}

/// The SHA-1 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint([u8; 20]);

impl Thumbprint {
    /// Reads 40 hexadecimal digits, with the white space and colons that tools put between them.
    pub fn parse(text: &str) -> Option<Self> {
        let is_filler = |c: &char| matches!(c, ' ' | '\t' | '\r' | '\n' | ':');
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| !is_filler(c))
            .map(|c| u8::try_from(c.to_digit(16)?).ok())
            .collect();
        let digits: [u8; 40] = digits?.try_into().ok()?;
        Some(Self(std::array::from_fn(|index| digits[2 * index] << 4 | digits[2 * index + 1])))
    }

    /// True when `sha1`, of the certificate that a server showed, is this one; in constant time.
    pub fn is_of(&self, sha1: &[u8; 20]) -> bool {
        self.0.ct_eq(sha1).into()
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thumbprint(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

impl ServiceFabric {
    /// The platform gives each application one identity, so that a user-assigned one need not be named; nor can it.
    pub(super) fn build_request(
        &self,
        request: &ManagedIdentityRequest,
    ) -> Result<HttpRequest, ManagedIdentityError> {
        let stale = request.token_to_refresh.as_ref().map(digest_token);
        let capabilities = request.capabilities.join(",");
        let query = [
            ("api-version", "2019-07-01-preview"),
            ("resource", &request.resource),
            ("token_sha256_to_refresh", stale.as_deref().unwrap_or_default()),
            ("xms_cc", &capabilities),
        ];
        let query = query.into_iter().filter(|(_, value)| !value.is_empty());
        let secret = secret_header(&self.secret, "IDENTITY_HEADER")?;
        Ok(build_get(&self.endpoint, query, [("secret", secret)]))
    }

    pub(super) fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        let token = read_answer(request, response, now, |members, body| {
            let error = members.get("error").and_then(|error| error.get("code"));
            (name_error(error.and_then(|code| code.as_str()).unwrap_or_default()), body)
        })?;
        let token_type =
            read_text(&token.fields, "token_type").map_err(TokenResponseError::from)?;
        if token_type.is_none() {
            let missing = Misbehaviour::Missing { member: "token_type" };
            return Err(TokenResponseError::from(missing).into());
        }
        Ok(token)
    }
}

/// OAuth's name for one of Service Fabric's errors.
fn name_error(code: &str) -> &'static str {
    match code {
        "SecretHeaderNotFound" => "unauthorized_client",
        "ManagedIdentityNotFound" => "invalid_client",
        "ArgumentNullOrEmpty" => "invalid_scope",
        _ => "invalid_request",
    }
}

/// Tells the platform which token not to give again.
fn digest_token(token: &Secret) -> String {
    Sha256::digest(token.expose()).iter().map(|byte| format!("{byte:02x}")).collect()
}
