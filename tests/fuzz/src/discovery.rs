//! Discovery: whatever a document says, secrets are sent over TLS, to the authority's own place or to Microsoft.

use url::Url;
use valetkey_model::{Authority, AuthorityKind, AuthorityOptions};
use valetkey_oauth::{
    DiscoveryError, HttpResponse, ProviderMetadata, parse_aliases, parse_instance_discovery,
    parse_provider_metadata, reduce_provider_metadata,
};

use crate::input::Input;
use crate::response::read_response;

/// One of each dialect, and whether it is given as `oidc_authority`.
const AUTHORITIES: [(&str, bool); 7] = [
    ("https://login.microsoftonline.com/contoso", false),
    ("https://login.contoso.example/tenant", false),
    ("https://id.example/realms/main", true),
    ("http://127.0.0.1:8080/realms/main", true),
    ("https://adfs.example/adfs", false),
    ("https://contoso.b2clogin.com/contoso/b2c_1_susi", false),
    ("https://contoso.ciamlogin.com/", false),
];

/// What the documents kept together may be, in bytes.
const MAX_METADATA: usize = 16 * 1024;

/// One byte for the authority, then as `read_response`.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (text, oidc) = input.choose(&AUTHORITIES);
    let options = AuthorityOptions { oidc, validate: true };
    let authority = Authority::parse(text, options).expect("a constant");
    let response = read_response(input);
    match parse_provider_metadata(&authority, &response) {
        Ok(metadata) => {
            check(&authority, &metadata);
            check_reduced(&authority, &response, &metadata);
        }
        Err(error) => check_refusal(&error),
    }
    match parse_instance_discovery(&authority, &response) {
        Ok(url) => assert_secure(&authority, &url),
        Err(error) => check_refusal(&error),
    }
    for name in parse_aliases(&response).iter().flatten().flatten() {
        assert_eq!(*name, name.to_lowercase());
    }
}

fn check(authority: &Authority, metadata: &ProviderMetadata) {
    let sent_secrets = [
        Some(&metadata.token_endpoint),
        metadata.device_authorization_endpoint.as_ref(),
        metadata.revocation_endpoint.as_ref(),
    ];
    let is_bound = matches!(authority.kind(), AuthorityKind::Oidc | AuthorityKind::Dsts);
    for url in sent_secrets.into_iter().flatten() {
        assert!(is_bound || authority.vouches_for(url), "{url} is sent secrets of {authority}");
    }
    let shown = [Some(&metadata.authorization_endpoint), metadata.end_session_endpoint.as_ref()];
    for url in sent_secrets.into_iter().chain(shown).flatten() {
        assert_secure(authority, url);
        assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    }
    let methods = &metadata.code_challenge_methods_supported;
    assert!(methods.iter().all(|methods| methods.iter().any(|method| method == "S256")));
    assert!(!is_bound || metadata.issuer.is_some(), "nothing binds the metadata");
}

/// What is kept of a document says the same as all of it.
fn check_reduced(authority: &Authority, response: &HttpResponse, metadata: &ProviderMetadata) {
    let Ok(reduced) = reduce_provider_metadata(response) else { return };
    assert!(reduced.body.len() <= MAX_METADATA);
    assert_eq!(parse_provider_metadata(authority, &reduced).as_ref(), Ok(metadata));
    let twice = reduce_provider_metadata(&reduced).map(|it| it.body);
    assert_eq!(twice, Ok(reduced.body));
}

fn check_refusal(error: &DiscoveryError) {
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
}

fn assert_secure(authority: &Authority, url: &Url) {
    let is_loopback = url
        .host_str()
        .is_some_and(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."));
    let is_plain = authority.is_plain_http() && url.scheme() == "http" && is_loopback;
    assert!(url.scheme() == "https" || is_plain, "{url} is not secure");
    assert!(url.has_host());
}
