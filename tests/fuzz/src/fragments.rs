//! Small things that come inside others: claims, ID tokens, `client_info`, and what a program wants to have signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use valetkey_model::{AccountId, CorrelationId, ScopeSet, Secret};
use valetkey_oauth::{
    ClientInfo, DpopRequest, ExtraFields, PopRequest, Region, Thumbprint, decode_id_token,
    home_account_id, merge_claims, overlay_claims,
};

use crate::input::{Input, assert_error_silent};

/// One byte for what it is, then its text.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let read = input.choose(&[claims, id_token, client_info, signed_request, names]);
    if let Some(text) = input.text() {
        read(text);
    }
}

/// Two claims parameters, one on each line.
fn claims(text: &str) {
    let (base, overlay) = text.split_once('\n').unwrap_or((text, ""));
    match merge_claims(&["CP1"], Some(base)) {
        Ok(merged) => {
            let merged = merged.expect("a capability is always said");
            assert!(merged.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{merged:?}");
            let value: Value = serde_json::from_str(&merged).expect("claims are JSON");
            assert_eq!(value["access_token"]["xms_cc"]["values"][0], "CP1");
            assert_eq!(merge_claims(&["CP1"], Some(&merged)), Ok(Some(merged)));
        }
        Err(error) => assert_error_silent(&error),
    }
    // What there is nothing to merge with stays as it is, to the letter.
    if !base.is_empty()
        && let Ok(Some(laid)) = overlay_claims(Some(base), Some(overlay))
    {
        assert!(serde_json::from_str::<Value>(&laid).is_ok_and(|it| it.is_object()), "{laid:?}");
        assert_eq!(overlay_claims(Some(&laid), Some(overlay)), Ok(Some(laid.clone())), "{laid}");
    }
}

/// A payload, or a whole token.
fn id_token(text: &str) {
    let wrapped = Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(text)));
    if let Ok(claims) = decode_id_token(&wrapped) {
        let again: Value = serde_json::from_str(text).expect("a payload is JSON");
        assert_eq!(again.as_object(), Some(claims.members()));
        assert!(claims.subject().is_none_or(|subject| again["sub"] == subject));
    }
    match decode_id_token(&Secret::new(text.to_owned())) {
        Ok(claims) => {
            let account = home_account_id(None, Some(&claims));
            assert_eq!(
                account.is_some(),
                claims.subject().is_some_and(|it| AccountId::new(it).is_ok())
            );
        }
        Err(error) => assert_error_silent(&error),
    }
}

/// Its JSON, or its base64.
fn client_info(text: &str) {
    let encoded = URL_SAFE_NO_PAD.encode(text);
    for info in [ClientInfo::decode(text), ClientInfo::decode(&encoded)].into_iter().flatten() {
        assert!(!info.uid.is_empty() && !info.utid.is_empty());
        if let Some(account) = home_account_id(Some(&info), None) {
            assert_eq!(account.as_str(), format!("{}.{}", info.uid, info.utid));
        }
    }
}

/// Lines for method, URL and nonce.
fn signed_request(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, url, nonce) = (line(), line(), line());
    match DpopRequest::new(method, url, Some(nonce)) {
        Ok(request) => {
            let url = request.url();
            assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
            assert!(url.username().is_empty() && url.password().is_none());
            assert!(url.fragment().is_none());
            assert!(nonce.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(error) => assert_error_silent(&error),
    }
    if let Err(error) = PopRequest::new(method, url, nonce) {
        assert_error_silent(&error);
    }
}

/// What becomes a part of headers, hosts and forms.
fn names(text: &str) {
    if let Ok(region) = Region::new(text) {
        let host = region.host_for("login.microsoftonline.com");
        assert!(
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)),
            "{host}"
        );
    }
    if let Ok(id) = CorrelationId::new(text) {
        assert!(!id.as_str().contains(char::is_control));
    }
    let _ = Thumbprint::parse(text);
    let set = ScopeSet::from_target(text);
    assert_eq!(ScopeSet::from_target(set.target()), set);
    assert!(set.iter().all(|scope| set.contains(scope)));
    let fields = text.lines().filter_map(|line| line.split_once('='));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    if let Ok(fields) = ExtraFields::new(fields) {
        let reserved =
            ["client_id", "client_secret", "grant_type", "refresh_token", "code_verifier"];
        assert!(fields.iter().all(|(name, _)| !reserved.contains(&name)));
    }
}
