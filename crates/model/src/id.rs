//! Identifiers: of client applications, of accounts, of one request's traces.

use std::fmt;
use std::sync::Arc;

/// Longest identifier taken from outside, in bytes. Entra's are 36 (client) and 73 (account); OIDC limits `sub` to 255.
const MAX_LENGTH: usize = 512;

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("{what} is empty")]
    Empty {
        /// The identifier's name, as a user knows it.
        what: &'static str,
    },
    /// More than a provider would ever issue.
    #[error("{what} is longer than {MAX_LENGTH} bytes")]
    TooLong {
        /// The identifier's name, as a user knows it.
        what: &'static str,
    },
    /// Control characters would let an identifier forge a log line or a header.
    #[error("{what} has a control character")]
    ControlCharacter {
        /// The identifier's name, as a user knows it.
        what: &'static str,
    },
}

fn check(what: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > MAX_LENGTH {
        return Err(IdError::TooLong { what });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter { what });
    }
    Ok(())
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes the text as it is; case is kept.
            ///
            /// # Errors
            /// When it is empty, over-long, or has a control character.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// RFC 6749 section 2.2 `client_id`. Sent as given; only cache keys are lower-cased.
    ClientId,
    "client id"
);
identifier!(
    /// The home account id: `uid.utid` at Entra, the ID token's `sub` elsewhere.
    AccountId,
    "home account id"
);
identifier!(
    /// One call's identity in logs here and at the provider (`client-request-id`).
    CorrelationId,
    "correlation id"
);

impl CorrelationId {
    /// A version 4 UUID (RFC 9562) made of 16 random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        // By hand, since every call has an id and formatting sixteen bytes would cost more than finding a token.
        let mut text = [b'-'; 36];
        for (place, byte) in UUID_PLACES.into_iter().zip(bytes) {
            text[place] = HEX_DIGITS[usize::from(byte >> 4)];
            text[place + 1] = HEX_DIGITS[usize::from(byte & 0x0f)];
        }
        Self(str::from_utf8(&text).unwrap_or_default().into())
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Where the digits of each byte are in a UUID's text; hyphens are in between.
const UUID_PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_identifiers_are_refused_with_their_name() {
        for (text, expected) in [
            ("", IdError::Empty { what: "client id" }),
            ("a\nb", IdError::ControlCharacter { what: "client id" }),
            (&"x".repeat(513), IdError::TooLong { what: "client id" }),
        ] {
            assert_eq!(ClientId::new(text), Err(expected));
        }
    }

    #[test]
    fn a_correlation_id_is_a_version_4_uuid() {
        let id = CorrelationId::from_random([0xff; 16]);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let counted = std::array::from_fn(|index| index as u8 * 17);
        let id = CorrelationId::from_random(counted);
        assert_eq!(id.as_str(), "00112233-4455-4677-8899-aabbccddeeff");
    }
}
