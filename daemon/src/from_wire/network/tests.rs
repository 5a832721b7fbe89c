//! What a route can be, and what is said of one that cannot.

use serde_json::{Value, json};

use super::*;

fn route(settings: Value) -> Result<Option<Route>, Failure> {
    from_wire(&serde_json::from_value(settings).unwrap())
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
}

#[test]
fn a_route_that_differs_in_nothing_is_none() {
    assert!(route(json!({})).unwrap().is_none());
}

#[test]
fn a_timeout_is_kept_within_bounds() {
    for (given, seconds) in [(5.5, 5.5), (1e-9, 0.1), (0.1, 0.1), (1e300, 600.0), (600.0, 600.0)] {
        let route = route(json!({"timeout": given})).unwrap().unwrap();
        assert_eq!(route.timeout(), Some(Duration::from_secs_f64(seconds)), "{given}");
    }
}

#[test]
fn a_proxy_is_a_url_or_a_host() {
    for (given, url, site) in [
        ("http://proxy.example:3128", "http://proxy.example:3128/", "proxy.example:3128"),
        ("proxy.example:3128", "http://proxy.example:3128/", "proxy.example:3128"),
        ("proxy.example", "http://proxy.example/", "proxy.example"),
        ("https://Proxy.example:443", "https://proxy.example/", "proxy.example"),
        ("http://ann:pw@[::1]:8080", "http://ann:pw@[::1]:8080/", "[::1]:8080"),
    ] {
        for (scheme, proxied) in
            [("http", Proxied::Http), ("https", Proxied::Https), ("all", Proxied::All)]
        {
            let route = route(json!({"proxies": {scheme: given}})).unwrap().unwrap();
            let proxy = &route.proxies()[&proxied];
            assert_eq!((proxy.url.expose(), &*proxy.site), (url, site), "{scheme}");
        }
    }
}

#[test]
fn certificates_may_have_text_around_them() {
    let [one, other] = [certificate(), certificate()];
    for (pem, count) in [
        (one.clone(), 1),
        (format!("# The company's\n{one}\r\nand\n{other}"), 2),
        (format!("{one}{other}{one}"), 2),
    ] {
        let route = route(json!({"ca_certificates": pem})).unwrap().unwrap();
        assert_eq!(route.ca_certificates().count(), count);
    }
}

#[test]
fn what_cannot_be_is_refused_by_name_and_without_a_password() {
    let broken = certificate().replacen("MII", "!!!", 1);
    let foreign = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for (settings, expected) in [
        (json!({"timeout": 0}), "network.timeout: must be more than 0 seconds"),
        (json!({"timeout": -1.5}), "network.timeout: must be more than 0 seconds"),
        (json!({"proxies": {"ftp": "http://p"}}), "network.proxies: \"ftp\" is none of http"),
        (json!({"proxies": {"https://op.example": "http://p"}}), "\"https://op.example\" is none"),
        (json!({"proxies": {"all": ""}}), "network.proxies: the one for \"all\" is no URL (empty"),
        (json!({"proxies": {"all": "http://hunter2:hunter2@"}}), "the one for \"all\" is no URL"),
        (json!({"proxies": {"https": "socks5://a:hunter2@p"}}), "must be an http or https URL"),
        (json!({"proxies": {"https": "file:///etc/hunter2"}}), "must be an http or https URL"),
        (json!({"proxies": {"all": "x".repeat(MAX_PROXY + 1)}}), "is too long for a URL"),
        (json!({"ca_certificates": ""}), "network.ca_certificates: has no PEM certificate in it"),
        (json!({"ca_certificates": "hunter2"}), "network.ca_certificates: has no PEM certificate"),
        (json!({"ca_certificates": broken}), "network.ca_certificates: certificate 1 is no PEM"),
        (
            json!({"ca_certificates": format!("{}{foreign}", certificate())}),
            "network.ca_certificates: certificate 2 cannot be read",
        ),
    ] {
        let refused = route(settings).unwrap_err();
        let Failure::Request { code, description } = refused else { panic!("{refused:?}") };
        assert_eq!(code, v1::ErrorCode::BadRequest);
        assert!(description.contains(expected), "{description}");
        assert!(!description.contains("hunter2"), "{description}");
    }
}
