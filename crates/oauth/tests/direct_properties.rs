//! Whatever a user types and a domain or a platform answers: no parser panics, and what was typed arrives as it was.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use roxmltree::Document;
use url::Url;
use valetkey_model::{
    Authority, AuthorityOptions, ClientId, CorrelationId, ScopeSet, Secret, UnixTime,
};
use valetkey_oauth::{
    Body, ExtraFields, HttpResponse, Imds, ManagedIdentityId, ManagedIdentityRequest,
    ManagedIdentitySource, Thumbprint, WsTrustEndpoint, WsTrustRequest, WsTrustVersion,
    build_user_realm_request, build_ws_trust_request, parse_cloud_shell_token, parse_mex,
    parse_region, parse_user_realm, parse_ws_trust_response,
};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// Nonsense, JSON, and pieces of XML in any order.
fn body() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 12] = [
        "<s:Fault xmlns:s='http://www.w3.org/2003/05/soap-envelope'>",
        "</s:Fault>",
        "<a b='c'>",
        "</a>",
        "<!DOCTYPE a>",
        "<![CDATA[",
        "]]>",
        "&#0;",
        "<?x ?>",
        "{\"account_type\":\"Federated\",\"federation_metadata_url\":\"https://x\"}",
        "{\"error\":{\"code\":\"x\"},\"location\":\"west\",\"access_token\":\"a.b.c\",\"expires_in\":1}",
        "\u{feff}",
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..8)
            .prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

fn text_at(document: &Document<'_>, name: &str) -> String {
    let node = document.descendants().find(|node| node.tag_name().name() == name);
    node.unwrap().text().unwrap_or_default().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_makes_a_parser_panic(status in 100_u16..600, body in body()) {
        let response = HttpResponse { status, headers: HeaderMap::new(), body: Bytes::from(body) };
        let options = AuthorityOptions::default();
        let authority = Authority::parse("https://op.example/t", options).unwrap();
        let url = Url::parse("http://127.0.0.1/").unwrap();
        let _ = parse_user_realm(&authority, &response);
        let _ = parse_mex(&url, &response);
        let _ = parse_ws_trust_response(&response);
        let _ = parse_region(&response);
        let client_id = ClientId::new("CID").unwrap();
        let extra = ExtraFields::default();
        let _ = parse_cloud_shell_token(&client_id, &ScopeSet::default(), &extra, &response, NOW);
        let request = ManagedIdentityRequest {
            id: ManagedIdentityId::SystemAssigned,
            resource: "r".to_owned(),
            correlation_id: CorrelationId::new("ID").unwrap(),
            token_to_refresh: None,
            capabilities: Vec::new(),
        };
        let source = ManagedIdentitySource::Imds(Imds { endpoint: url });
        let _ = source.parse_response(&request, &response, NOW);
    }

    #[test]
    fn what_was_typed_arrives_or_is_refused(username in any::<String>(), password in any::<String>()) {
        let url = Url::parse("https://fs.example/trust").unwrap();
        let endpoint = WsTrustEndpoint { url, version: WsTrustVersion::V13 };
        let request = WsTrustRequest {
            username: username.clone(),
            password: Secret::new(password.clone()),
            audience: "urn:a".to_owned(),
            message_id: CorrelationId::new("ID").unwrap(),
        };
        if let Ok(request) = build_ws_trust_request(&endpoint, &request, NOW) {
            let Body::Text { text, .. } = &request.body else { panic!("no text") };
            let document = Document::parse(text).unwrap();
            prop_assert_eq!(text_at(&document, "Username"), username);
            prop_assert_eq!(text_at(&document, "Password"), password);
        }
    }

    #[test]
    fn a_name_stays_one_segment_of_the_path(username in any::<String>()) {
        let options = AuthorityOptions::default();
        let authority = Authority::parse("https://op.example/t", options).unwrap();
        let id = CorrelationId::new("ID").unwrap();
        let url = build_user_realm_request(&authority, &username, &id).url;
        prop_assert!(url.as_str().starts_with("https://op.example/common/userrealm"));
        prop_assert!(url.path_segments().unwrap().count() <= 3);
        prop_assert_eq!(url.query(), Some("api-version=1.0"));
    }

    #[test]
    fn no_text_makes_a_thumbprint_panic(text in any::<String>()) {
        let _ = Thumbprint::parse(&text);
    }
}
