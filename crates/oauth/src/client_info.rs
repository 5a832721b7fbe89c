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

    /// Whether this is the person of an account that was named by an earlier one. A guest has one object id and more than
    /// one tenant, a user of B2C one and more than one policy.
    pub fn is_person_of(&self, account: &AccountId) -> bool {
        let uid = account.as_str().rsplit_once('.').map_or(account.as_str(), |(uid, _)| uid);
        person(uid) == person(&self.uid)
    }

    /// As MSAL writes it for who has users but no `client_info`, to the letter.
    pub(crate) fn encode(&self) -> String {
        let [uid, utid] = [&self.uid, &self.utid].map(|part| Value::from(part.as_str()));
        URL_SAFE.encode(format!(r#"{{"uid": {uid}, "utid": {utid}}}"#))
    }
}

fn person(uid: &str) -> String {
    let mut person = uid.to_ascii_lowercase();
    person.truncate(person.find(B2C_POLICY).unwrap_or(person.len()));
    person
}

/// How the names of all policies begin.
const B2C_POLICY: &str = "-b2c_1";

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
    fn a_person_keeps_the_object_id_in_other_tenants_and_under_other_policies() {
        for (uid, account, expected) in [
            ("UID", "UID.UTID", true),
            ("UID", "uid.OTHER", true),
            ("UID", "UID", true),
            ("UID-B2C_1_susi", "uid-b2c_1a_reset.UTID", true),
            ("UID", "UIE.UTID", false),
            ("UID", "UID2.UTID", false),
            ("UID", "UTID.UID", false),
            ("UID-B2C_1_susi", "UIE-b2c_1_susi.UTID", false),
        ] {
            let info = ClientInfo { uid: uid.to_owned(), utid: "UTID".to_owned() };
            let account = AccountId::new(account).unwrap();
            assert_eq!(info.is_person_of(&account), expected, "{uid} {account}");
        }
    }

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
