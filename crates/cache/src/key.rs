//! Identity: under which key an entry is stored here, and under which in MSAL's JSON.

use std::fmt;
use std::sync::Arc;

use valetkey_model::{AccountId, ClientId};

use crate::{Entry, KeyId};

/// An entry's identity as text: of two entries with equal keys the later one replaces the earlier one.
///
/// Unlike MSAL's keys it never makes one of two different things: parts cannot run into each other, scopes and account
/// ids keep their case, and the key that a token is bound to is a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(Arc<str>);

impl EntryKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Entry {
    /// The key under which this entry is stored.
    pub fn key(&self) -> EntryKey {
        let text = match self {
            Self::AccessToken(token) => {
                let client = client_text(token.client_id.as_ref());
                let mut parts = vec![
                    "at",
                    &token.environment,
                    home_text(token.home_account_id.as_ref()),
                    &client,
                    &token.realm,
                    token.scopes.target(),
                    token.extension.as_deref().unwrap_or_default(),
                ];
                match &token.key_id {
                    None => parts.push(""),
                    Some(KeyId::Foreign(name)) => parts.push(name),
                    Some(KeyId::Kept(name)) => parts.extend([&**name, "kept"]),
                }
                join_parts(&parts)
            }
            Self::RefreshToken(token) => {
                let client = client_text(token.client_id.as_ref());
                let mut parts = vec![
                    "rt",
                    &token.environment,
                    home_text(token.home_account_id.as_ref()),
                    &client,
                    token.scopes.target(),
                ];
                parts.extend(token.key_id.as_deref());
                join_parts(&parts)
            }
            Self::IdToken(token) => join_parts(&[
                "idt",
                &token.environment,
                home_text(token.home_account_id.as_ref()),
                &client_text(token.client_id.as_ref()),
                &token.realm,
            ]),
            Self::Account(account) => join_parts(&[
                "account",
                &account.environment,
                account.home_account_id.as_str(),
                &account.realm,
            ]),
            Self::AppMetadata(app) => {
                join_parts(&["app", &app.environment, &client_text(app.client_id.as_ref())])
            }
            Self::Document(document) => join_parts(&["document", &document.url]),
            Self::ProofKey(key) => join_parts(&[
                "proof-key",
                &key.environment,
                &client_text(Some(&key.client_id)),
                &key.method,
            ]),
            Self::Answer(answer) => join_parts(&["answer", &answer.request]),
            Self::Foreign(foreign) => join_parts(&["foreign", &foreign.section]),
        };
        EntryKey(text.into())
    }

    /// The key of section 4.2 of `spec/msal-python.md`.
    pub(crate) fn msal_key(&self) -> String {
        match self {
            Self::AccessToken(token) => {
                let kind = if token.extension.is_some() { "atext" } else { "accesstoken" };
                let mut parts = vec![
                    home_text(token.home_account_id.as_ref()),
                    &token.environment,
                    kind,
                    token.client_id.as_ref().map_or("", ClientId::as_str),
                    &token.realm,
                    token.scopes.target(),
                ];
                parts.extend(token.extension.as_deref());
                parts.join("-").to_lowercase()
            }
            Self::RefreshToken(token) => [
                home_text(token.home_account_id.as_ref()),
                &token.environment,
                "refreshtoken",
                token.client_id.as_ref().map_or("", ClientId::as_str),
                "",
                token.scopes.target(),
            ]
            .join("-")
            .to_lowercase(),
            Self::IdToken(token) => [
                home_text(token.home_account_id.as_ref()),
                &token.environment,
                "idtoken",
                token.client_id.as_ref().map_or("", ClientId::as_str),
                &token.realm,
                "",
            ]
            .join("-")
            .to_lowercase(),
            Self::Account(account) => {
                [account.home_account_id.as_str(), &account.environment, &account.realm]
                    .join("-")
                    .to_lowercase()
            }
            Self::AppMetadata(app) => {
                let client_id = app.client_id.as_ref().map_or("", ClientId::as_str);
                ["appmetadata", &app.environment, client_id].join("-")
            }
            Self::Document(document) => document.url.to_string(),
            Self::ProofKey(key) => key.key_id.to_string(),
            Self::Answer(answer) => answer.request.to_string(),
            Self::Foreign(foreign) => foreign.section.to_string(),
        }
    }
}

/// True when both name the same client application: MSAL's keys lower-case client ids.
pub(crate) fn is_same_client(one: Option<&ClientId>, other: Option<&ClientId>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.as_str().eq_ignore_ascii_case(other.as_str()),
        (None, None) => true,
        _ => false,
    }
}

/// An account id is never empty, so that the empty text stands for none.
fn home_text(home_account_id: Option<&AccountId>) -> &str {
    home_account_id.map_or("", AccountId::as_str)
}

fn client_text(client_id: Option<&ClientId>) -> String {
    client_id.map_or_else(String::new, |id| id.as_str().to_ascii_lowercase())
}

fn join_parts(parts: &[&str]) -> String {
    let escaped: Vec<String> =
        parts.iter().map(|part| part.replace('%', "%25").replace('|', "%7C")).collect();
    escaped.join("|")
}
