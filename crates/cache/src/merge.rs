//! Merging a provider's answer: which entries it puts and which it makes superfluous.

use valetkey_model::{ClientId, ScopeSet, Secret, UnixTime};

use crate::{Change, RefreshToken, TokenCache};

/// A provider's answer to a token request, and what was asked.
#[derive(Clone, Copy, Debug)]
pub struct TokenEvent<'a> {
    /// The provider's host.
    pub environment: &'a str,
    /// The tenant: the first path segment of the token endpoint, or what else tells issuers on one host apart.
    pub realm: &'a str,
    /// The client application; `None` for a system-assigned managed identity.
    pub client_id: Option<&'a ClientId>,
    /// RFC 6749 `grant_type` of the request.
    pub grant_type: &'a str,
    /// The granted scopes: the answer's where it names them, else those asked for.
    pub scopes: &'a ScopeSet,
    /// [`crate::extended_cache_key`] of the request.
    pub extension: Option<&'a str>,
    /// The key that the token is bound to.
    pub key_id: Option<&'a str>,
    /// The user name that was asked for (password and federated grants), for when the answer has none.
    pub username: Option<&'a str>,
    /// An authority type other than that which follows from the tenant.
    pub authority_type: Option<&'a str>,
    /// False: save the tokens, but create no account.
    pub create_account: bool,

    /// `access_token`.
    pub access_token: Option<&'a Secret>,
    /// `token_type`; `Bearer` when missing.
    pub token_type: Option<&'a str>,
    /// `expires_in`, in seconds.
    pub expires_in: Option<i64>,
    /// `expires_on` (managed identities); counts when `expires_in` is missing.
    pub expires_on: Option<UnixTime>,
    /// `ext_expires_in`, in seconds.
    pub ext_expires_in: Option<i64>,
    /// `refresh_in`, in seconds.
    pub refresh_in: Option<i64>,
    /// `refresh_token`.
    pub refresh_token: Option<&'a Secret>,
    /// `foci`: the family of client applications.
    pub family_id: Option<&'a str>,
    /// `id_token`, as it came.
    pub id_token: Option<&'a Secret>,
    /// The ID token's claims, decoded and checked by the caller.
    pub id_claims: IdClaims<'a>,
    /// Entra's `client_info`, as it came.
    pub client_info: Option<&'a str>,
}

/// The claims of an ID token that say who signed in.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdClaims<'a> {
    /// `sub`.
    pub sub: Option<&'a str>,
    /// `oid`.
    pub oid: Option<&'a str>,
    /// `preferred_username`.
    pub preferred_username: Option<&'a str>,
    /// `upn`.
    pub upn: Option<&'a str>,
}

impl<'a> TokenEvent<'a> {
    /// An event without an answer yet; fill in what came.
    pub fn new(environment: &'a str, realm: &'a str, scopes: &'a ScopeSet) -> Self {
        Self {
            environment,
            realm,
            client_id: None,
            grant_type: "",
            scopes,
            extension: None,
            key_id: None,
            username: None,
            authority_type: None,
            create_account: true,
            access_token: None,
            token_type: None,
            expires_in: None,
            expires_on: None,
            ext_expires_in: None,
            refresh_in: None,
            refresh_token: None,
            family_id: None,
            id_token: None,
            id_claims: IdClaims::default(),
            client_info: None,
        }
    }
}

impl TokenCache {
    /// What a sign-in's or an application's token answer changes.
    pub fn plan_token_response(&self, event: &TokenEvent<'_>, now: UnixTime) -> Vec<Change> {
        let _ = (event, now);
        Vec::new()
    }

    /// What the answer to redeeming `used` changes. The refresh token rotates in place and no account is created. Empty
    /// when `used` is no longer what the cache holds: whoever signed out meanwhile stays signed out.
    pub fn plan_refresh(
        &self,
        used: &RefreshToken,
        event: &TokenEvent<'_>,
        now: UnixTime,
    ) -> Vec<Change> {
        let _ = (used, event, now);
        Vec::new()
    }
}
