//! The `claims` request parameter (OpenID Connect Core section 5.5).

use serde_json::Value;

use super::error::Refusal;
use super::message::Params;

/// Reads the parameter; it must be a JSON object.
pub(crate) fn read(params: &Params) -> Result<Option<Value>, Refusal> {
    let Some(text) = params.get("claims") else { return Ok(None) };
    match serde_json::from_str::<Value>(text) {
        Ok(claims) if claims.is_object() => Ok(Some(claims)),
        _ => Err(Refusal::new(
            "invalid_request",
            50_146,
            "The claims parameter is not a JSON object.",
        )),
    }
}

/// Whether everything demanded is among the presented, which may hold more, such as capabilities.
pub(crate) fn contains(presented: &Value, demanded: &Value) -> bool {
    match (presented, demanded) {
        (Value::Object(presented), Value::Object(demanded)) => demanded
            .iter()
            .all(|(name, value)| presented.get(name).is_some_and(|found| contains(found, value))),
        (presented, demanded) => presented == demanded,
    }
}

/// The client capabilities, `access_token.xms_cc.values`.
pub(crate) fn capabilities(claims: Option<&Value>) -> Option<&Value> {
    claims?.pointer("/access_token/xms_cc/values")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn presented_claims_may_hold_more_than_was_demanded() {
        let demanded = json!({"access_token": {"acrs": {"value": "c1"}}});
        for (presented, expected) in [
            (json!({"access_token": {"acrs": {"value": "c1"}}}), true),
            (
                json!({"access_token": {"acrs": {"value": "c1"}, "xms_cc": {"values": ["CP1"]}}}),
                true,
            ),
            (json!({"access_token": {"acrs": {"value": "c2"}}}), false),
            (json!({"id_token": {}}), false),
            (json!("text"), false),
        ] {
            assert_eq!(contains(&presented, &demanded), expected, "{presented}");
        }
    }
}
