//! Reading JSON answers member by member. Nothing here repeats a value in an error: it may be a token.

use serde_json::{Map, Value};

use crate::{HttpResponse, Misbehaviour};

/// The answer's body, which every endpoint of this crate sends as one JSON object.
pub(crate) fn read_object(response: &HttpResponse) -> Result<Map<String, Value>, Misbehaviour> {
    match serde_json::from_slice(&response.body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Misbehaviour::NotAnObject { status: response.status }),
        Err(_) => Err(Misbehaviour::NotJson { status: response.status }),
    }
}

/// Removes a text member; absent, null and empty are the same.
pub(crate) fn take_text(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Misbehaviour> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Misbehaviour::WrongType { member: name }),
    }
}

/// A copy of a text member; absent, null and empty are the same.
pub(crate) fn read_text(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Misbehaviour> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(Misbehaviour::WrongType { member: name }),
    }
}

/// Whole seconds, which providers send as a number or as text (Entra's older endpoints and ADFS do). Never negative, and
/// never beyond what an `i64` holds (the cast saturates).
pub(crate) fn read_seconds(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<i64>, Misbehaviour> {
    let seconds = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => {
            number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))
        }
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    seconds.map(|seconds| Some(seconds.max(0))).ok_or(Misbehaviour::WrongType { member: name })
}
