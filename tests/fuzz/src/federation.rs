//! Federated domains: whatever a realm, its metadata and its identity provider say, a password goes over TLS, and what
//! comes back is a piece of what was said.

use url::Url;
use valetkey_model::{Authority, AuthorityOptions};
use valetkey_oauth::{
    FederatedEndpoint, UserRealm, WsTrustEndpoint, parse_mex, parse_user_realm,
    parse_ws_trust_response,
};

use crate::input::{CANARY, Input, assert_error_silent};
use crate::response::read_response;

/// Larger documents are nobody's, and are not looked at.
const MAX_DOCUMENT: usize = 512 * 1024;

/// One byte for whether all is on this machine, then as `read_response`.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let is_local = input.byte() & 1 != 0;
    let site = if is_local { "http://127.0.0.1:8080" } else { "https://fs.example" };
    let response = read_response(input);
    let assert_secure = |url: &Url| {
        assert!(url.scheme() == "https" || (is_local && url.scheme() == "http"), "{url}");
        assert!(url.has_host());
    };

    let authority = Authority::parse(&format!("{site}/tenant"), AuthorityOptions::default());
    match parse_user_realm(&authority.expect("a constant"), &response) {
        Ok(UserRealm::Managed) => {}
        Ok(UserRealm::Federated(domain)) => {
            assert!(!domain.audience.is_empty());
            match &domain.endpoint {
                FederatedEndpoint::DescribedAt(url) => assert_secure(url),
                FederatedEndpoint::Known(WsTrustEndpoint { url, .. }) => assert_secure(url),
            }
        }
        Err(error) => assert_error_silent(&error),
    }

    let metadata_url = Url::parse(&format!("{site}/mex")).expect("a constant");
    match parse_mex(&metadata_url, &response) {
        Ok(endpoint) => assert_secure(&endpoint.url),
        Err(error) => assert_error_silent(&error),
    }

    match parse_ws_trust_response(&response) {
        Ok(assertion) => {
            let text = str::from_utf8(&response.body).expect("XML is text");
            assert!(text.len() <= MAX_DOCUMENT && text.contains(assertion.xml.expose()));
            assert!(assertion.xml.expose().starts_with('<'));
            assert!((200..300).contains(&response.status));
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.contains(char::is_control) && shown.len() < 2048, "{shown:?}");
            // A fault's code is told, and the domain may call it as it likes.
            assert!(shown.contains("answered") || !shown.contains(CANARY));
        }
    }
}
