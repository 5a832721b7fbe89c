//! A provider's answer to a token request, as the cache wants to hear of it.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use serde_json::Value;
use valetkey_model::{AccountId, ClientId, ScopeSet, Secret, UnixTime};

use crate::KeyId;

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
    /// What was asked for, where that is to be known of the token later.
    pub asked: Option<&'a ScopeSet>,
    /// [`crate::extended_cache_key`] of the request.
    pub extension: Option<&'a str>,
    /// The key that the token is bound to.
    pub key_id: Option<&'a KeyId>,
    /// Whether the refresh token is bound to that key as well.
    pub binds_refresh_token: bool,
    /// The user name that was asked for (password and federated grants), for when the answer has none.
    pub username: Option<&'a str>,
    /// The account's identity inside the tenant, where it is known from elsewhere (another broker).
    pub local_account_id: Option<&'a str>,
    /// An authority type other than that which follows from the tenant.
    pub authority_type: Option<&'a str>,
    /// False: save the tokens, but create no account.
    pub create_account: bool,
    /// Under whom to file the tokens, whoever the answer names: a service's tokens for the user who called it are kept
    /// apart by the call.
    pub filed_under: Option<&'a AccountId>,

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
            asked: None,
            extension: None,
            key_id: None,
            binds_refresh_token: false,
            username: None,
            local_account_id: None,
            authority_type: None,
            create_account: true,
            filed_under: None,
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

    /// Who signed in: `uid.utid` of Entra's client info, else the ID token's `sub`. `None` for an application's own
    /// token, and when the provider does not say.
    pub fn home_account_id(&self) -> Option<AccountId> {
        if let Some(account) = self.filed_under {
            return Some(account.clone());
        }
        let client_info = self.client_info.and_then(read_client_info);
        let text = client_info.or_else(|| self.id_claims.sub.map(str::to_owned))?;
        AccountId::new(&text).ok()
    }

    pub(crate) fn expires_on(&self, now: UnixTime) -> UnixTime {
        match (self.expires_in, self.expires_on) {
            (Some(seconds), _) => now.plus_seconds(seconds),
            (None, Some(time)) => time,
            (None, None) => now.plus_seconds(DEFAULT_LIFETIME_SECONDS),
        }
    }

    pub(crate) fn authority_type(&self) -> &'a str {
        let usual = if self.realm == "adfs" { "ADFS" } else { "MSSTS" };
        self.authority_type.unwrap_or(usual)
    }

    /// By which grant the account came in, for the grants where a later silent request asks for it.
    pub(crate) fn account_source(&self) -> Option<&'a str> {
        ACCOUNT_SOURCES.contains(&self.grant_type).then_some(self.grant_type)
    }
}

/// RFC 6749 section 5.1 lets a provider leave `expires_in` out; MSAL then takes ten minutes.
const DEFAULT_LIFETIME_SECONDS: i64 = 600;

const ACCOUNT_SOURCES: [&str; 5] = [
    "broker",
    "authorization_code",
    "password",
    "urn:ietf:params:oauth:grant-type:device_code",
    "user_fic",
];

/// Entra pads its base64url or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn read_client_info(text: &str) -> Option<String> {
    let info: Value = serde_json::from_slice(&BASE64.decode(text).ok()?).ok()?;
    Some(format!("{}.{}", info.get("uid")?.as_str()?, info.get("utid")?.as_str()?))
}
