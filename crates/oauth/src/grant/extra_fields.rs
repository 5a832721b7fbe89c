//! Fields that an application adds to a token request (MSAL's hidden `data`): a proof-of-possession key's confirmation,
//! Azure CLI's `client_session`, and whatever Entra thinks of next.

use std::fmt;

use zeroize::Zeroizing;

use crate::http::{Body, HttpRequest};

/// What the broker alone says in a token request. Left to applications are those which only name a key: `token_type`,
/// `req_cnf`, `key_id`.
const RESERVED: [&str; 20] = [
    "assertion",
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_claims",
    "client_id",
    "client_info",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "requested_token_use",
    "scope",
    "user_federated_identity_credential",
    "user_id",
    "username",
];

/// MSAL's own and what its applications add are a handful, of which a key's confirmation is the longest.
const MOST_FIELDS: usize = 32;
const MOST_BYTES: usize = 16 * 1024;

/// Fields of an application's own, each once. `Debug` shows the names alone.
#[derive(Clone, Default)]
pub struct ExtraFields(Vec<(String, Zeroizing<String>)>);

/// Why an application may not add a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtraFieldError {
    /// It would speak in the broker's place.
    #[error("field {name:?} of a token request is the broker's own and cannot be set")]
    Reserved {
        /// The field.
        name: String,
    },
    /// RFC 6749 section 3.2: parameters must not be included more than once.
    #[error("field {name:?} of a token request is given twice")]
    Repeated {
        /// The field.
        name: String,
    },
    /// RFC 6749 appendix A: a name is letters, digits, `-`, `.` and `_`.
    #[error("{name:?} is no name for a field of a token request (RFC 6749 section 8.2)")]
    Name {
        /// The field.
        name: String,
    },
    /// Each is compared with all others, and all go along with each request.
    #[error("at most {MOST_FIELDS} fields of {MOST_BYTES} bytes in all go into a token request")]
    TooMuch,
}

impl ExtraFields {
    /// Fields in the application's order; those without a value are left out.
    ///
    /// # Errors
    /// When a name is reserved, malformed, or given twice, and when they are more than any application has.
    pub fn new(
        fields: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ExtraFieldError> {
        let mut list: Vec<(String, Zeroizing<String>)> = Vec::new();
        let mut left = MOST_BYTES;
        for (name, value) in fields {
            let value = Zeroizing::new(value);
            left = match left.checked_sub(name.len() + value.len()) {
                Some(left) if list.len() < MOST_FIELDS => left,
                _ => return Err(ExtraFieldError::TooMuch),
            };
            // Servers differ in whether they look at the case.
            if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(&name)) {
                return Err(ExtraFieldError::Reserved { name });
            }
            if name.is_empty() || !name.bytes().all(is_name_byte) {
                return Err(ExtraFieldError::Name { name });
            }
            if list.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                return Err(ExtraFieldError::Repeated { name });
            }
            list.push((name, value));
        }
        list.retain(|(_, value)| !value.is_empty());
        Ok(Self(list))
    }

    /// Names and values, of which the cache makes a part of its key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names.
    pub fn names(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }

    /// True when there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl HttpRequest {
    /// The same request with an application's fields. One takes the place of the grant's own field of that name, as in
    /// MSAL.
    #[must_use]
    pub fn with_extra_fields(mut self, extra: &ExtraFields) -> Self {
        if let Body::Form(form) = &mut self.body {
            form.retain(|(name, _)| {
                !extra.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
            });
            form.extend(extra.0.iter().map(|(name, value)| (name.clone().into(), value.clone())));
        }
        self
    }
}

impl fmt::Debug for ExtraFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Result<&[&str], ExtraFieldError>) {
        let fields = names.iter().map(|name| ((*name).to_owned(), "v".to_owned()));
        let extra = ExtraFields::new(fields);
        let found = extra.as_ref().map(|extra| extra.iter().map(|(name, _)| name).collect());
        assert_eq!(found, expected.as_ref().map(|names| names.to_vec()), "{names:?}");
    }

    #[test]
    fn an_application_may_name_a_key_but_not_speak_for_the_broker() {
        check(&[], Ok(&[]));
        let keys = ["token_type", "req_cnf", "key_id", "client_session", "fmi_path"];
        check(&keys, Ok(&keys));
        for name in RESERVED {
            for name in [name.to_owned(), name.to_uppercase()] {
                check(&["a", &name], Err(ExtraFieldError::Reserved { name: name.clone() }));
            }
        }
        for name in ["", "a b", "a=b&scope", "ü", "a\n"] {
            check(&[name], Err(ExtraFieldError::Name { name: name.to_owned() }));
        }
        check(&["a", "b", "A"], Err(ExtraFieldError::Repeated { name: "A".to_owned() }));
        check(&["a", "b", "a"], Err(ExtraFieldError::Repeated { name: "a".to_owned() }));
    }

    #[test]
    fn what_an_application_adds_is_bounded_in_number_and_length() {
        let names = |count| (0..count).map(|number| format!("k{number}")).collect::<Vec<_>>();
        let with = |names: &[String], value: &str| {
            ExtraFields::new(names.iter().map(|name| (name.clone(), value.to_owned()))).err()
        };
        assert_eq!(with(&names(MOST_FIELDS), ""), None);
        assert_eq!(with(&names(MOST_FIELDS + 1), ""), Some(ExtraFieldError::TooMuch));
        let longest = "x".repeat(MOST_BYTES - "k0".len());
        assert_eq!(with(&names(1), &longest), None);
        assert_eq!(with(&names(2), &longest), Some(ExtraFieldError::TooMuch));
        assert_eq!(with(&["k".repeat(MOST_BYTES + 1)], ""), Some(ExtraFieldError::TooMuch));
        // What is beyond the limit is not even looked at.
        let mut looked = 0;
        let endless = (0..1_000_000).inspect(|_| looked += 1);
        assert!(
            ExtraFields::new(endless.map(|number| (format!("k{number}"), String::new()))).is_err()
        );
        assert_eq!(looked, MOST_FIELDS + 1);
        let text = "at most 32 fields of 16384 bytes in all go into a token request";
        assert_eq!(ExtraFieldError::TooMuch.to_string(), text);
    }

    #[test]
    fn debug_shows_names_alone() {
        let field = ("req_cnf".to_owned(), "hunter2".to_owned());
        assert_eq!(format!("{:?}", ExtraFields::new([field]).unwrap()), "[\"req_cnf\"]");
    }
}
