//! WS-Trust: how the identity provider of a federated domain (mostly ADFS) takes a user name and a password and gives a
//! SAML assertion for them (`spec/msal-python.md` section 2.7).
//!
//! `mex.rs` finds the endpoint, `request.rs` asks there, `response.rs` reads what comes back.

mod mex;
mod request;
mod response;
mod xml;

use url::Url;

pub use self::mex::parse_mex;
pub use self::request::{NotXmlText, WsTrustRequest, build_ws_trust_request};
pub use self::response::{SoapFault, parse_ws_trust_response};

/// Which edition of WS-Trust is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WsTrustVersion {
    /// The draft of February 2005.
    V2005,
    /// OASIS WS-Trust 1.3, which is preferred.
    V13,
}

/// Where user name and password are taken, and in which edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsTrustEndpoint {
    /// Where.
    pub url: Url,
    /// The edition.
    pub version: WsTrustVersion,
}

/// Why there is no assertion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WsTrustError {
    /// The domain's identity provider said no, most often to a wrong password.
    #[error(transparent)]
    Refused(Box<SoapFault>),
    /// It is out of order (status 500 and above) or overrun (429).
    #[error("identity provider of the user's domain is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// A status that has no meaning here, such as a redirect.
    #[error("identity provider of the user's domain answered with the unexpected status {status}")]
    UnexpectedStatus {
        /// The HTTP status.
        status: u16,
    },
    /// Not XML, or more of it than is ever honest, or with a document type, which nobody needs and attackers like.
    #[error("answer of the user's domain (status {status}) is no XML that can be read")]
    NotXml {
        /// The HTTP status.
        status: u16,
    },
    /// The domain takes passwords only in the clear, or not at all.
    #[error("the user's domain offers no WS-Trust endpoint for user name and password over https")]
    NoEndpoint,
    /// Neither an assertion nor a reason.
    #[error("answer of the user's domain has no token in it")]
    NoToken,
    /// Neither SAML 1 nor SAML 2.
    #[error("answer of the user's domain has a token of a type that Entra does not take")]
    UnknownTokenType,
}

impl WsTrustEndpoint {
    /// Guesses the edition by ADFS's paths.
    pub fn from_path(url: Url) -> Option<Self> {
        let path = url.path().to_ascii_lowercase();
        let version = [WsTrustVersion::V13, WsTrustVersion::V2005]
            .into_iter()
            .find(|version| path.contains(version.path()))?;
        Some(Self { url, version })
    }
}

impl WsTrustVersion {
    fn path(self) -> &'static str {
        match self {
            Self::V2005 => "/trust/2005/usernamemixed",
            Self::V13 => "/trust/13/usernamemixed",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::V2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
        }
    }

    /// Of the request to issue a token.
    fn action(self) -> &'static str {
        match self {
            Self::V2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue",
        }
    }

    fn from_action(action: &str) -> Option<Self> {
        [Self::V2005, Self::V13].into_iter().find(|version| version.action() == action)
    }

    /// A token that whoever has it may use.
    fn bearer_key(self) -> &'static str {
        match self {
            Self::V2005 => "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
        }
    }
}

#[cfg(test)]
mod tests;
