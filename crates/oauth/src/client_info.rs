//! Entra's `client_info`, and whose account a token is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::Value;
use valetkey_model::AccountId;

use crate::IdTokenClaims;
use crate::id_token::BASE64_URL;

/// The user's home: the object id there, and the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ClientInfo {
    /// Object id in the home tenant; B2C appends the policy.
    pub uid: String,
    /// Home tenant.
    pub utid: String,
}

impl ClientInfo {
    /// Decodes the base64url JSON. None when it is unreadable or lacks a part: providers other than Entra may echo the
    /// request's `client_info=1`, and that must not cost the user a token.
    pub fn decode(raw: &str) -> Option<Self> {
        let json = BASE64_URL.decode(raw).ok()?;
        let info: Self = serde_json::from_slice(&json).ok()?;
        (!info.uid.is_empty() && !info.utid.is_empty()).then_some(info)
    }

    /// As MSAL writes it for who has users but no `client_info`, to the letter.
    pub(crate) fn encode(&self) -> String {
        let [uid, utid] = [&self.uid, &self.utid].map(|part| Value::from(part.as_str()));
        URL_SAFE.encode(format!(r#"{{"uid": {uid}, "utid": {utid}}}"#))
    }
}

/// The cache's home account id: `uid.utid` where the provider tells, else the ID token's `sub`.
pub fn home_account_id(
    client_info: Option<&ClientInfo>,
    id_token: Option<&IdTokenClaims>,
) -> Option<AccountId> {
    match client_info {
        Some(info) => AccountId::new(&format!("{}.{}", info.uid, info.utid)).ok(),
        None => AccountId::new(id_token?.subject()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_account_is_uid_and_utid_else_the_subject() {
        let entra = ClientInfo::decode("eyJ1aWQiOiAiVUlEIiwgInV0aWQiOiAiVVRJRCJ9");
        let claims =
            IdTokenClaims::from_members(json!({"sub": "SUB"}).as_object().unwrap().clone());
        for (info, claims, expected) in [
            (entra.as_ref(), Some(&claims), Some("UID.UTID")),
            (None, Some(&claims), Some("SUB")),
            (None, None, None),
        ] {
            let account = home_account_id(info, claims);
            assert_eq!(account.as_ref().map(AccountId::as_str), expected);
        }
    }

    #[test]
    fn unreadable_client_info_is_as_none() {
        let encode = |text: &str| BASE64_URL.encode(text);
        for raw in [
            "",
            "1",
            "%%%",
            &encode("[]"),
            &encode("{\"uid\":\"u\"}"),
            &encode("{\"uid\":\"\",\"utid\":\"t\"}"),
        ] {
            assert_eq!(ClientInfo::decode(raw), None, "{raw:?}");
        }
    }
}
