//! The cases recorded from MSAL for Python: `tests/vectors/msal/{token_cache_add,ext_cache_key}.json`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use valetkey_cache::{IdClaims, TokenCache, TokenEvent, extended_cache_key};
use valetkey_model::{ClientId, ScopeSet, Secret, UnixTime};

use crate::support::at;

/// Where we part from MSAL on purpose: the case, the reason, and what MSAL's result becomes.
type Deviation = (&'static str, &'static str, fn(&mut Value));
const DEVIATIONS: [Deviation; 3] = [
    (
        "foci then refresh without foci drops family_id from AppMetadata",
        "an answer without foci says nothing about the family; forgetting it costs the shared sign-in",
        |cache| {
            let key = "appmetadata-login.microsoftonline.com-CID";
            cache["AppMetadata"][key]["family_id"] = json!("1");
        },
    ),
    (
        "key_id stored, not in key; second overwrites first",
        "tokens bound to two keys are two tokens; evicting each other means a request on every call",
        |cache| {
            let key = "uid.utid-login.microsoftonline.com-accesstoken-cid-\
                       11111111-1111-1111-1111-111111111111-s1 s2";
            let second = cache["AccessToken"][key].clone();
            let mut first = second.clone();
            for (name, value) in [
                ("secret", "AT"),
                ("cached_at", "1000"),
                ("expires_on", "4599"),
                ("extended_expires_on", "8199"),
                ("key_id", "k1"),
            ] {
                first[name] = json!(value);
            }
            cache["AccessToken"][key] = first;
            cache["AccessToken"][format!("{key}-2")] = second;
        },
    ),
    (
        "empty event",
        "an answer comes from a provider: without one there is nothing to know about an application",
        |cache| *cache = json!({}),
    ),
];

#[test]
fn an_answer_is_merged_as_msal_merges_it() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/msal/token_cache_add.json"))
            .unwrap();
    let mut deviations = 0;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut expected = case["cache"].clone();
        if let Some((_, _, deviate)) = DEVIATIONS.iter().find(|(of, ..)| *of == name) {
            deviate(&mut expected);
            assert_ne!(expected, case["cache"], "{name} deviates in nothing");
            deviations += 1;
        }
        let cache = replay(case["events"].as_array().unwrap());
        let actual: Value = serde_json::from_str(&cache.to_msal_json()).unwrap();
        assert_eq!(actual, expected, "{name}");
    }
    assert_eq!(deviations, DEVIATIONS.len());
}

#[test]
fn the_extended_key_is_the_one_that_other_libraries_compute() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/msal/ext_cache_key.json"))
            .unwrap();
    for case in &cases {
        let parameters = texts_of(case["data"].as_object().unwrap());
        assert_eq!(key_of(&parameters).unwrap_or_default(), case["key"].as_str().unwrap());
    }
}

fn replay(events: &[Value]) -> TokenCache {
    let mut cache = TokenCache::new();
    for step in events {
        let now = at(step["now"].as_i64().unwrap());
        if step["event"].get("response").is_some() {
            merge(&mut cache, &step["event"], now);
        }
    }
    cache
}

/// Does what the broker does with an answer: reads it, and hands it to the cache.
fn merge(cache: &mut TokenCache, event: &Value, now: UnixTime) {
    let (response, data) = (&event["response"], event["data"].as_object().unwrap());
    let client_id = event["client_id"].as_str().map(|id| ClientId::new(id).unwrap());
    let endpoint = event["token_endpoint"].as_str().unwrap();
    let mut segments = endpoint.split('/').skip(2);
    let host = segments.next().unwrap();
    let requested = event["scope"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let scopes = match response["scope"].as_str() {
        Some(granted) => ScopeSet::from_target(granted),
        None => ScopeSet::new(requested).unwrap(),
    };
    let secret = |name: &str| response[name].as_str().map(|it| Secret::new(it.to_owned()));
    let (access_token, refresh_token, id_token) =
        (secret("access_token"), secret("refresh_token"), secret("id_token"));
    let claims = match response.get("id_token_claims") {
        Some(claims) => claims.clone(),
        None => id_token.as_ref().map_or(Value::Null, |token| claims_of(token.expose())),
    };
    let extension = key_of(&texts_of(data));
    let key_id = data.get("key_id").and_then(Value::as_str).map(crate::support::foreign);

    let changes = cache.plan_token_response(
        &TokenEvent {
            client_id: client_id.as_ref(),
            grant_type: event["grant_type"].as_str().unwrap_or_default(),
            extension: extension.as_deref(),
            key_id: key_id.as_ref(),
            username: data.get("username").unwrap_or(&event["username"]).as_str(),
            local_account_id: event["_account_id"].as_str(),
            create_account: event["skip_account_creation"] != true,
            access_token: access_token.as_ref(),
            token_type: response["token_type"].as_str(),
            expires_in: integer(&response["expires_in"]),
            expires_on: integer(&response["expires_on"]).map(at),
            ext_expires_in: integer(&response["ext_expires_in"]),
            refresh_in: integer(&response["refresh_in"]),
            refresh_token: refresh_token.as_ref(),
            family_id: response["foci"].as_str(),
            id_token: id_token.as_ref(),
            id_claims: IdClaims {
                sub: claims["sub"].as_str(),
                oid: claims["oid"].as_str(),
                preferred_username: claims["preferred_username"].as_str(),
                upn: claims["upn"].as_str(),
            },
            client_info: response["client_info"].as_str(),
            ..TokenEvent::new(
                event["environment"].as_str().unwrap_or(host),
                segments.next().unwrap(),
                &scopes,
            )
        },
        now,
    );
    cache.apply(&changes);
}

fn claims_of(id_token: &str) -> Value {
    let payload = id_token.split('.').nth(1).unwrap().trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn integer(value: &Value) -> Option<i64> {
    value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok())
}

/// The parameters as they go into a form; a falsy one is not sent.
fn texts_of(data: &Map<String, Value>) -> Vec<(&str, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.as_i64() != Some(0) => Some(number.to_string()),
        _ => None,
    };
    data.iter().filter_map(|(name, value)| Some((name.as_str(), text(value)?))).collect()
}

fn key_of(parameters: &[(&str, String)]) -> Option<String> {
    extended_cache_key(parameters.iter().map(|(name, value)| (*name, value.as_str())))
}
