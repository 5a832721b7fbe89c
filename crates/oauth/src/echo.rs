//! What a provider repeats of a request's secrets in its refusal. The refusal's words go to the program that asked, which may
//! not know the secret that was sent for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use serde_json::Value;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::http::{HttpRequest, HttpResponse};

/// Form fields that whoever reads them could use.
const SECRET_FIELDS: [&str; 7] = [
    "assertion",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "password",
    "refresh_token",
    "user_federated_identity_credential",
];

/// Shorter ones are no secrets, and stand in honest words.
const SHORTEST: usize = 6;

impl HttpResponse {
    /// The answer to `request`, without the secrets of the request that a refusal repeats.
    #[must_use]
    pub fn without_echoes_of(self, request: &HttpRequest) -> Self {
        if self.status < 400 {
            return self;
        }
        let secrets = secrets_of(request);
        let Ok(said) = serde_json::from_slice::<Value>(&self.body) else { return self };
        let mut body = said.clone();
        secrets.iter().for_each(|secret| blot_out(&mut body, secret));
        match body == said {
            true => self,
            false => Self { body: body.to_string().into(), ..self },
        }
    }
}

/// As they were sent, and as they are written in a form.
fn secrets_of(request: &HttpRequest) -> Vec<Zeroizing<String>> {
    let fields = request.form().iter();
    let of_form = fields.filter(|(name, _)| SECRET_FIELDS.contains(&name.as_ref()));
    let of_header =
        request.headers.get(AUTHORIZATION).and_then(|value| secret_of(value.as_bytes()));
    let mut secrets: Vec<_> = of_form.map(|(_, value)| value.clone()).chain(of_header).collect();
    secrets.retain(|secret| secret.len() >= SHORTEST);
    let encode = |secret: &Zeroizing<String>| {
        Zeroizing::new(form_urlencoded::byte_serialize(secret.as_bytes()).collect())
    };
    let encoded: Vec<_> = secrets.iter().map(encode).collect();
    secrets.extend(encoded);
    secrets
}

/// RFC 6749 section 2.3.1: the secret is written as in a form before it becomes a part of the header.
fn secret_of(header: &[u8]) -> Option<Zeroizing<String>> {
    let pair = Zeroizing::new(STANDARD.decode(header.strip_prefix(b"Basic ")?).ok()?);
    let secret = pair.splitn(2, |byte| *byte == b':').nth(1)?;
    let text = form_urlencoded::parse(secret).next()?.0.into_owned();
    Some(Zeroizing::new(text))
}

/// Takes a secret out of all texts of an answer.
fn blot_out(value: &mut Value, secret: &str) {
    match value {
        Value::String(text) => *text = text.replace(secret, "[secret]"),
        Value::Array(values) => values.iter_mut().for_each(|value| blot_out(value, secret)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| blot_out(value, secret));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use url::Url;

    use super::*;

    fn check(request: &HttpRequest, status: u16, said: &str, expected: &str) {
        let answer = HttpResponse::test(status, said).without_echoes_of(request);
        assert_eq!(String::from_utf8_lossy(&answer.body), expected);
    }

    #[test]
    fn a_refusal_does_not_repeat_what_was_sent_as_a_secret() {
        let url = Url::parse("https://id.example/token").unwrap();
        let field = |name: &'static str, value: &str| (name.into(), Zeroizing::new(value.into()));
        let form = vec![
            field("client_secret", "pass/word"),
            field("scope", "openid"),
            field("refresh_token", "rt"),
        ];
        let sent = HttpRequest::post(url.clone(), HeaderMap::new(), form);
        for (said, expected) in [
            (r#"{"error":"no: pass/word"}"#, r#"{"error":"no: [secret]"}"#),
            (r#"{"error":"no: pass\/word"}"#, r#"{"error":"no: [secret]"}"#),
            (r#"{"error_uri":"https://x/?pass%2Fword"}"#, r#"{"error_uri":"https://x/?[secret]"}"#),
            (r#"{"a":[{"b":"pass/word"}]}"#, r#"{"a":[{"b":"[secret]"}]}"#),
            (r#"{ "error": "part openid" }"#, r#"{ "error": "part openid" }"#),
            ("pass/word", "pass/word"),
        ] {
            check(&sent, 400, said, expected);
        }
        let token = r#"{"access_token":"pass/word"}"#;
        check(&sent, 200, token, token);
        let header = format!("Basic {}", STANDARD.encode("client:pass%2Fword"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
        let sent = HttpRequest::post(url, headers, Vec::new());
        check(&sent, 401, r#"{"error":"pass/word"}"#, r#"{"error":"[secret]"}"#);
    }
}
