//! Entry to members.

use valetkey_model::{AccountId, ClientId};

use super::{ADDED_AT, KEPT_KEY_ID, Member, section};
use crate::credential::Extra;
use crate::{
    AccessToken, Account, Answer, AppMetadata, Document, Entry, Foreign, IdToken, KeptKey, KeyId,
    RefreshToken,
};

/// An entry's members in MSAL's order.
type Named<'a> = Vec<(&'a str, Member<'a>)>;

impl Entry {
    /// The section that the entry belongs to.
    pub(crate) fn section(&self) -> &'static str {
        match self {
            Self::AccessToken(_) => section::ACCESS_TOKEN,
            Self::RefreshToken(_) => section::REFRESH_TOKEN,
            Self::IdToken(_) => section::ID_TOKEN,
            Self::Account(_) => section::ACCOUNT,
            Self::AppMetadata(_) => section::APP_METADATA,
            Self::Document(_) => section::DOCUMENT,
            Self::ProofKey(_) => section::PROOF_KEY,
            Self::Answer(_) => section::ANSWER,
            Self::Foreign(_) => section::FOREIGN,
        }
    }

    /// The entry's members.
    pub(crate) fn members(&self) -> Named<'_> {
        match self {
            Self::AccessToken(token) => access_token(token),
            Self::RefreshToken(token) => refresh_token(token),
            Self::IdToken(token) => id_token(token),
            Self::Account(it) => account(it),
            Self::AppMetadata(app) => app_metadata(app),
            Self::Document(it) => document(it),
            Self::ProofKey(key) => proof_key(key),
            Self::Answer(it) => answer(it),
            Self::Foreign(it) => foreign(it),
        }
    }
}

fn access_token(token: &AccessToken) -> Named<'_> {
    let mut members = vec![
        ("secret", Member::Text(token.secret.expose())),
        ("home_account_id", home(token.home_account_id.as_ref())),
        ("environment", Member::Text(&token.environment)),
        ("client_id", client(token.client_id.as_ref())),
        ("target", Member::Text(token.scopes.target())),
        ("realm", Member::Text(&token.realm)),
        ("token_type", Member::Text(&token.token_type)),
        ("cached_at", Member::Time(token.cached_at)),
        ("expires_on", Member::Time(token.expires_on)),
        ("extended_expires_on", Member::Time(token.extended_expires_on)),
    ];
    members.extend(token.key_id.as_ref().map(|key| match key {
        KeyId::Foreign(name) => ("key_id", Member::Text(name)),
        KeyId::Kept(name) => (KEPT_KEY_ID, Member::Text(name)),
    }));
    members.extend(token.extension.as_deref().map(|key| ("ext_cache_key", Member::Text(key))));
    members.extend(token.refresh_on.map(|time| ("refresh_on", Member::Time(time))));
    with_extra(members, &token.extra)
}

fn refresh_token(token: &RefreshToken) -> Named<'_> {
    let mut members = vec![
        ("secret", Member::Text(token.secret.expose())),
        ("home_account_id", home(token.home_account_id.as_ref())),
        ("environment", Member::Text(&token.environment)),
        ("client_id", client(token.client_id.as_ref())),
        ("target", Member::Text(token.scopes.target())),
        ("last_modification_time", Member::Time(token.last_modified)),
    ];
    members.extend(token.family_id.as_deref().map(|id| ("family_id", Member::Text(id))));
    members.extend(token.key_id.as_deref().map(|id| ("key_id", Member::Text(id))));
    with_extra(members, &token.extra)
}

fn id_token(token: &IdToken) -> Named<'_> {
    let members = vec![
        ("secret", Member::Text(token.secret.expose())),
        ("home_account_id", home(token.home_account_id.as_ref())),
        ("environment", Member::Text(&token.environment)),
        ("realm", Member::Text(&token.realm)),
        ("client_id", client(token.client_id.as_ref())),
    ];
    with_extra(members, &token.extra)
}

fn account(account: &Account) -> Named<'_> {
    let mut members = vec![
        ("home_account_id", Member::Text(account.home_account_id.as_str())),
        ("environment", Member::Text(&account.environment)),
        ("realm", Member::Text(&account.realm)),
        (
            "local_account_id",
            account.local_account_id.as_deref().map_or(Member::Null, Member::Text),
        ),
        ("username", Member::Text(&account.username)),
        ("authority_type", Member::Text(&account.authority_type)),
        (ADDED_AT, Member::Time(account.added_at)),
    ];
    members
        .extend(account.account_source.as_deref().map(|it| ("account_source", Member::Text(it))));
    with_extra(members, &account.extra)
}

fn app_metadata(app: &AppMetadata) -> Named<'_> {
    let mut members = vec![
        ("client_id", client(app.client_id.as_ref())),
        ("environment", Member::Text(&app.environment)),
    ];
    members.extend(app.family_id.as_deref().map(|id| ("family_id", Member::Text(id))));
    with_extra(members, &app.extra)
}

fn document(document: &Document) -> Named<'_> {
    vec![
        ("url", Member::Text(&document.url)),
        ("fetched_at", Member::Time(document.fetched_at)),
        ("body", Member::Text(&document.body)),
    ]
}

fn proof_key(key: &KeptKey) -> Named<'_> {
    vec![
        ("secret", Member::Text(key.secret.expose())),
        ("environment", Member::Text(&key.environment)),
        ("client_id", client(Some(&key.client_id))),
        ("method", Member::Text(&key.method)),
        ("key_id", Member::Text(&key.key_id)),
    ]
}

fn answer(answer: &Answer) -> Named<'_> {
    let mut members = vec![
        ("request", Member::Text(&answer.request)),
        ("kept_at", Member::Time(answer.kept_at)),
        ("until", Member::Time(answer.until)),
        ("status", Member::Text(&answer.status)),
        ("body", Member::Text(&answer.body)),
    ];
    members.extend(answer.retry_after.as_deref().map(|it| ("retry_after", Member::Text(it))));
    members
}

fn foreign(foreign: &Foreign) -> Named<'_> {
    vec![("section", Member::Text(&foreign.section)), ("body", Member::Text(foreign.body.expose()))]
}

fn home(id: Option<&AccountId>) -> Member<'_> {
    id.map_or(Member::Null, |id| Member::Text(id.as_str()))
}

fn client(id: Option<&ClientId>) -> Member<'_> {
    id.map_or(Member::Null, |id| Member::Text(id.as_str()))
}

fn with_extra<'a>(mut members: Named<'a>, extra: &'a Extra) -> Named<'a> {
    if let Some(extra) = extra {
        members.extend(extra.iter().map(|(name, value)| (name.as_str(), Member::Json(value))));
    }
    members
}
