//! Members to entry. Missing, null and empty are the same; a member that nobody here knows is kept.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};
use valetkey_model::{AccountId, ClientId, ScopeSet, Secret, UnixTime};

use super::{ADDED_AT, KEPT_KEY_ID, section};
use crate::credential::Extra;
use crate::shared::Shared;
use crate::{
    AccessToken, Account, Answer, AppMetadata, Document, Entry, Foreign, IdToken, KeptKey, KeyId,
    RefreshToken,
};

/// What is wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("member {member:?} {problem}")]
pub struct MemberError {
    /// Its name.
    pub member: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// A member's value as it was read. A text is borrowed where it can be: most become a part of something else.
pub(crate) enum Given<'a> {
    Text(Cow<'a, str>),
    Time(UnixTime),
    Json(Value),
}

impl From<Value> for Given<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Cow::Owned(text)),
            other => Self::Json(other),
        }
    }
}

impl From<Given<'_>> for Value {
    fn from(given: Given<'_>) -> Self {
        match given {
            Given::Text(text) => Self::String(text.into_owned()),
            Given::Time(time) => time.seconds().into(),
            Given::Json(value) => value,
        }
    }
}

/// The members of one entry, taken out one by one.
pub(crate) struct Members<'a, 's> {
    given: Vec<(Cow<'a, str>, Given<'a>)>,
    shared: &'s mut Shared,
}

impl<'a, 's> Members<'a, 's> {
    pub(crate) fn new(given: Vec<(Cow<'a, str>, Given<'a>)>, shared: &'s mut Shared) -> Self {
        Self { given, shared }
    }

    /// The entry that these are the members of; `None` when the section is unknown.
    pub(crate) fn into_entry(self, section: &str) -> Option<Result<Entry, MemberError>> {
        Some(match section {
            section::ACCESS_TOKEN => {
                self.into_access_token().map(|it| Entry::AccessToken(it.into()))
            }
            section::REFRESH_TOKEN => {
                self.into_refresh_token().map(|it| Entry::RefreshToken(it.into()))
            }
            section::ID_TOKEN => self.into_id_token().map(|it| Entry::IdToken(it.into())),
            section::ACCOUNT => self.into_account().map(|it| Entry::Account(it.into())),
            section::APP_METADATA => {
                self.into_app_metadata().map(|it| Entry::AppMetadata(it.into()))
            }
            section::DOCUMENT => self.into_document().map(|it| Entry::Document(it.into())),
            section::PROOF_KEY => self.into_proof_key().map(|it| Entry::ProofKey(it.into())),
            section::ANSWER => self.into_answer().map(|it| Entry::Answer(it.into())),
            section::FOREIGN => self.into_foreign().map(|it| Entry::Foreign(it.into())),
            _ => return None,
        })
    }

    fn into_access_token(mut self) -> Result<AccessToken, MemberError> {
        let expires_on = require(self.take_time("expires_on")?, "expires_on")?;
        let refresh_on = match self.take_time("refresh_on")? {
            Some(time) => Some(time),
            None => self.peek("refreshOn").and_then(time_of),
        };
        let kept = self.take_text(KEPT_KEY_ID)?.map(|name| KeyId::Kept(name.into()));
        let foreign = self.take_text("key_id")?.or_else(|| self.peek_text(&["kid", "keyId"]));
        let token_type = self.take_text("token_type")?.or_else(|| self.peek_text(&["tokenType"]));
        let token_type = token_type.unwrap_or(Cow::Borrowed("Bearer"));
        Ok(AccessToken {
            environment: self.take_environment()?,
            home_account_id: self.take_home_account_id()?,
            client_id: self.take_client_id()?,
            realm: self.take_name("realm")?.unwrap_or_default(),
            scopes: self.take_scopes()?,
            extension: self.take_text("ext_cache_key")?.map(Arc::from),
            key_id: kept.or_else(|| foreign.map(|name| KeyId::Foreign(name.into()))),
            secret: self.take_secret("secret")?,
            token_type: self.shared.text(&token_type),
            cached_at: self.take_time("cached_at")?.unwrap_or_default(),
            expires_on,
            extended_expires_on: self.take_time("extended_expires_on")?.unwrap_or(expires_on),
            refresh_on,
            extra: self.into_extra("AccessToken"),
        })
    }

    fn into_refresh_token(mut self) -> Result<RefreshToken, MemberError> {
        Ok(RefreshToken {
            environment: self.take_environment()?,
            home_account_id: self.take_home_account_id()?,
            client_id: self.take_client_id()?,
            scopes: self.take_scopes()?,
            secret: self.take_secret("secret")?,
            last_modified: self.take_time("last_modification_time")?.unwrap_or_default(),
            family_id: self.take_name("family_id")?,
            key_id: self.take_text("key_id")?.map(Arc::from),
            extra: self.into_extra("RefreshToken"),
        })
    }

    fn into_id_token(mut self) -> Result<IdToken, MemberError> {
        Ok(IdToken {
            environment: self.take_environment()?,
            home_account_id: self.take_home_account_id()?,
            client_id: self.take_client_id()?,
            realm: self.take_name("realm")?.unwrap_or_default(),
            secret: self.take_secret("secret")?,
            extra: self.into_extra("IdToken"),
        })
    }

    fn into_account(mut self) -> Result<Account, MemberError> {
        Ok(Account {
            environment: self.take_environment()?,
            home_account_id: require(self.take_home_account_id()?, "home_account_id")?,
            realm: self.take_name("realm")?.unwrap_or_default(),
            local_account_id: self.take_text("local_account_id")?.map(Arc::from),
            username: self.take_text("username")?.unwrap_or_default().into(),
            authority_type: self.take_name("authority_type")?.unwrap_or_default(),
            account_source: self.take_name("account_source")?,
            added_at: self.take_time(ADDED_AT)?.unwrap_or_default(),
            extra: self.into_extra(""),
        })
    }

    fn into_app_metadata(mut self) -> Result<AppMetadata, MemberError> {
        Ok(AppMetadata {
            environment: self.take_environment()?,
            client_id: self.take_client_id()?,
            family_id: self.take_name("family_id")?,
            extra: self.into_extra(""),
        })
    }

    fn into_document(mut self) -> Result<Document, MemberError> {
        Ok(Document {
            url: require(self.take_text("url")?, "url")?.into(),
            fetched_at: self.take_time("fetched_at")?.unwrap_or_default(),
            body: self.take_text("body")?.unwrap_or_default().into(),
        })
    }

    fn into_proof_key(mut self) -> Result<KeptKey, MemberError> {
        Ok(KeptKey {
            environment: self.take_environment()?,
            client_id: require(self.take_client_id()?, "client_id")?,
            method: require(self.take_name("method")?, "method")?,
            key_id: require(self.take_text("key_id")?, "key_id")?.into(),
            secret: self.take_secret("secret")?,
        })
    }

    fn into_answer(mut self) -> Result<Answer, MemberError> {
        Ok(Answer {
            request: require(self.take_text("request")?, "request")?.into(),
            kept_at: require(self.take_time("kept_at")?, "kept_at")?,
            until: require(self.take_time("until")?, "until")?,
            status: require(self.take_name("status")?, "status")?,
            retry_after: self.take_text("retry_after")?.map(Arc::from),
            body: self.take_text("body")?.unwrap_or_default().into(),
        })
    }

    fn into_foreign(mut self) -> Result<Foreign, MemberError> {
        Ok(Foreign {
            section: require(self.take_text("section")?, "section")?.into(),
            body: self.take_secret("body")?,
        })
    }

    fn take(&mut self, name: &str) -> Option<Given<'a>> {
        let position = self.given.iter().position(|(candidate, _)| candidate == name)?;
        Some(self.given.swap_remove(position).1)
    }

    fn take_text(&mut self, name: &'static str) -> Result<Option<Cow<'a, str>>, MemberError> {
        match self.take(name) {
            None | Some(Given::Json(Value::Null)) => Ok(None),
            Some(Given::Text(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(error(name, "is no text")),
        }
    }

    fn take_time(&mut self, name: &'static str) -> Result<Option<UnixTime>, MemberError> {
        match self.take(name) {
            None | Some(Given::Json(Value::Null)) => Ok(None),
            Some(Given::Text(text)) if text.is_empty() => Ok(None),
            Some(given) => {
                time_of(&given).map(Some).ok_or_else(|| error(name, "is no time in whole seconds"))
            }
        }
    }

    fn take_secret(&mut self, name: &'static str) -> Result<Secret, MemberError> {
        require(self.take_text(name)?, name).map(|text| Secret::new(text.into_owned()))
    }

    /// A text that many entries have.
    fn take_name(&mut self, name: &'static str) -> Result<Option<Arc<str>>, MemberError> {
        Ok(self.take_text(name)?.map(|text| self.shared.text(&text)))
    }

    fn take_environment(&mut self) -> Result<Arc<str>, MemberError> {
        let text = require(self.take_text("environment")?, "environment")?;
        Ok(self.shared.text(&text.to_ascii_lowercase()))
    }

    fn take_home_account_id(&mut self) -> Result<Option<AccountId>, MemberError> {
        let text = self.take_text("home_account_id")?;
        text.map(|text| self.shared.home_account_id(&text))
            .transpose()
            .map_err(|reason| error("home_account_id", reason))
    }

    fn take_client_id(&mut self) -> Result<Option<ClientId>, MemberError> {
        let text = self.take_text("client_id")?;
        text.map(|text| self.shared.client_id(&text))
            .transpose()
            .map_err(|reason| error("client_id", reason))
    }

    fn take_scopes(&mut self) -> Result<ScopeSet, MemberError> {
        let target = self.take_text("target")?.unwrap_or_default();
        Ok(self.shared.scope_set(&target))
    }

    /// A member under another library's name (`spec/msal-python.md` section 4.10). It stays where it is, so that this
    /// library finds it again after an export.
    fn peek_text(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        names.iter().find_map(|name| match self.peek(name)? {
            Given::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        })
    }

    fn peek(&self, name: &str) -> Option<&Given<'a>> {
        self.given.iter().find(|(candidate, _)| candidate == name).map(|(_, given)| given)
    }

    /// What is left. `credential_type` says what the section says, unless another library has kinds of its own.
    fn into_extra(self, credential_type: &str) -> Extra {
        let is_usual = |name: &str, given: &Given<'_>| {
            name == "credential_type" && matches!(given, Given::Text(it) if it == credential_type)
        };
        let left = self.given.into_iter().filter(|(name, given)| !is_usual(name, given));
        let map: Map<_, _> =
            left.map(|(name, given)| (name.into_owned(), Value::from(given))).collect();
        (!map.is_empty()).then(|| Box::new(map))
    }
}

/// Whole seconds, as text or as number.
fn time_of(given: &Given<'_>) -> Option<UnixTime> {
    match given {
        Given::Time(time) => Some(*time),
        Given::Text(text) => text.trim().parse().ok().map(UnixTime::from_seconds),
        Given::Json(number) => number.as_i64().map(UnixTime::from_seconds),
    }
}

fn require<T>(value: Option<T>, member: &'static str) -> Result<T, MemberError> {
    value.ok_or_else(|| error(member, "is missing"))
}

fn error(member: &'static str, problem: impl ToString) -> MemberError {
    MemberError { member, problem: problem.to_string() }
}
