//! The request that a proof is for, as a program names it: what can be, and what cannot.

use http::Method;
use url::Url;

/// Longest URL that is signed, in bytes; few servers take a longer one.
const MAX_URL: usize = 8 * 1024;
/// Longest nonce, in bytes. Entra's are signed tokens of some 600.
const MAX_NONCE: usize = 4 * 1024;
/// Longest method, in bytes.
const MAX_METHOD: usize = 32;

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRequestError {
    /// Lower case is not the same method (RFC 9110 section 9.1). MSAL's `PopAuthScheme` refuses the same.
    #[error("http_method: must be one of GET, POST, PUT, DELETE and PATCH")]
    UnknownMethod,
    /// No method of HTTP looks like this.
    #[error("http_method: must be a method of HTTP in upper case")]
    InvalidMethod,
    /// Relative, or of another scheme.
    #[error("url: must be an absolute http or https URL")]
    InvalidUrl,
    /// A parser of URLs would drop it in silence, and a careless one would make a header of it.
    #[error("url: must not have spaces or control characters in it")]
    UrlCharacter,
    /// It is never sent (RFC 9110 section 7.1), so that nobody could check it.
    #[error("url: must not have a fragment")]
    Fragment,
    /// They would be in the open, and are no part of the request's target.
    #[error("url: must not have a user name or password in it")]
    Credentials,
    /// Longer than any server takes.
    #[error("url: longer than {MAX_URL} bytes")]
    UrlTooLong,
    /// The resource gave none, or it was not passed on.
    #[error("nonce: is empty")]
    NonceMissing,
    /// Longer than any server's.
    #[error("nonce: longer than {MAX_NONCE} bytes")]
    NonceTooLong,
    /// RFC 9449 section 8.1: it came in a header, and is printable ASCII.
    #[error("nonce: must be printable ASCII without spaces, quotes and backslashes")]
    NonceCharacter,
}

/// Reads the method of a request. What extends HTTP may come; nothing of HTTP is in lower case.
pub(super) fn parse_method(text: &str) -> Result<Method, ProofRequestError> {
    let is_method = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    if text.is_empty() || text.len() > MAX_METHOD || !text.bytes().all(is_method) {
        return Err(ProofRequestError::InvalidMethod);
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| ProofRequestError::InvalidMethod)
}

/// Reads the URL of a request.
pub(super) fn parse_url(text: &str) -> Result<Url, ProofRequestError> {
    if text.len() > MAX_URL {
        return Err(ProofRequestError::UrlTooLong);
    }
    if text.contains(|it: char| it.is_control() || it.is_whitespace()) {
        return Err(ProofRequestError::UrlCharacter);
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(Url::has_host).ok_or(ProofRequestError::InvalidUrl)?;
    if url.fragment().is_some() {
        return Err(ProofRequestError::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ProofRequestError::Credentials);
    }
    Ok(url)
}

/// Checks a nonce: RFC 9449 section 8.1's `1*NQCHAR`, which what Entra's resources send is made of, too.
pub(super) fn check_nonce(nonce: &str) -> Result<(), ProofRequestError> {
    let is_nonce_byte = |byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    match nonce {
        "" => Err(ProofRequestError::NonceMissing),
        _ if nonce.len() > MAX_NONCE => Err(ProofRequestError::NonceTooLong),
        _ if !nonce.bytes().all(is_nonce_byte) => Err(ProofRequestError::NonceCharacter),
        _ => Ok(()),
    }
}
