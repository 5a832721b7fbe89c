//! The `claims` parameter: capabilities of the client, challenges of a resource (OIDC Core section 5.5, Entra's `xms_cc`).
//!
//! The text matters and not only its meaning, since it is part of cache keys that other programs compute too. What needs
//! no change goes through byte for byte.

mod json;

use self::json::Json;

/// Why a text is no claims parameter. The text itself is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Not JSON, or not an object.
    #[error("claims are no JSON object")]
    NotAnObject,
    /// `access_token` is not an object, so that capabilities have no place in it.
    #[error("claims have an \"access_token\" that is no JSON object")]
    AccessTokenNotAnObject,
}

/// Puts the client's capabilities (such as `CP1`) into `challenge` as `access_token.xms_cc`, in the place of any that the
/// challenge has. Without capabilities the challenge stays as it is; without either there is no parameter.
///
/// # Errors
/// When the challenge is no JSON object.
pub fn merge_claims<S: AsRef<str>>(
    capabilities: &[S],
    challenge: Option<&str>,
) -> Result<Option<String>, ClaimsError> {
    let challenge = challenge.filter(|text| !text.is_empty());
    let mut claims = match challenge {
        Some(text) => Json::parse_object(text)?,
        None => Json::Object(Vec::new()),
    };
    if capabilities.is_empty() {
        return Ok(challenge.map(str::to_owned));
    }
    let values = capabilities.iter().map(|value| Json::Text(value.as_ref().to_owned())).collect();
    let capabilities = Json::object("values", Json::Array(values));
    let access_token = claims.member_or_insert("access_token");
    match access_token {
        Json::Null => *access_token = Json::object("xms_cc", capabilities),
        Json::Object(_) => *access_token.member_or_insert("xms_cc") = capabilities,
        _ => return Err(ClaimsError::AccessTokenNotAnObject),
    }
    Ok(Some(claims.to_string()))
}

/// Lays `overlay` over `base`: objects are merged, anything else is replaced.
///
/// # Errors
/// When one of them is no JSON object.
pub fn overlay_claims(
    base: Option<&str>,
    overlay: Option<&str>,
) -> Result<Option<String>, ClaimsError> {
    let base = base.filter(|text| !text.is_empty());
    let overlay = overlay.filter(|text| !text.is_empty());
    let parsed =
        (base.map(Json::parse_object).transpose()?, overlay.map(Json::parse_object).transpose()?);
    Ok(match parsed {
        (Some(mut merged), Some(overlay)) => {
            merged.overlay(overlay);
            Some(merged.to_string())
        }
        _ => base.or(overlay).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
