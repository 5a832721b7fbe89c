//! Answers beside the token endpoint's: device codes, managed identities, Cloud Shell, regions. What is shown to a person
//! neither steers a terminal nor leads astray, and errors are a line that a log can bear.

use serde_json::Value;
use url::Url;
use valetkey_model::{ClientId, CorrelationId, ScopeSet, steers_display};
use valetkey_oauth::{
    AzureArc, DeviceAuthorization, ExtraFields, HttpResponse, Imds, ManagedIdentityId,
    ManagedIdentityRequest, ManagedIdentitySource, Platform, TokenResponse, build_region_request,
    parse_cloud_shell_token, parse_device_authorization, parse_region,
};

use crate::NOW;
use crate::input::{Input, assert_silent, is_only_in_secrets};
use crate::response::read_response;

/// As `read_response`.
pub fn run(data: &[u8]) {
    let response = read_response(Input::new(data));
    match parse_device_authorization(&response, NOW) {
        Ok(device) => check_device(&response, &device),
        Err(error) => assert_a_line(&error),
    }
    check_managed_identities(&response);
    let client_id = ClientId::new("client").expect("a constant");
    let scopes = ScopeSet::from_target("https://vault.example/.default");
    let extra = ExtraFields::default();
    match parse_cloud_shell_token(&client_id, &scopes, &extra, &response, NOW) {
        Ok(found) => {
            assert_eq!(found.token.scope, scopes);
            check_token(&found.token);
        }
        Err(error) => assert_a_line(&error),
    }
    if let Some(region) = parse_region(&response) {
        let moved = region.move_url(&build_region_request().url);
        assert_eq!(moved.host_str(), Some("169.254.169.254"), "an address has no region");
    }
}

fn check_device(response: &HttpResponse, device: &DeviceAuthorization) {
    let shown = [&device.user_code, &device.verification_uri];
    for text in shown.into_iter().chain(&device.verification_uri_complete) {
        assert!(!text.is_empty() && !text.contains(steers_display), "{text:?}");
    }
    for link in device.verification_uri_complete.iter().chain([&device.verification_uri]) {
        let url = Url::parse(link).expect("a link is a URL");
        assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{link:?}");
        let plain = Url::parse(&device.verification_uri).expect("a link is a URL");
        assert_eq!(url.origin(), plain.origin(), "the link with the code leads elsewhere");
    }
    assert!(!device.device_code.is_empty() && device.interval >= 1 && device.expires_in >= 0);
    for text in device.fields.values().filter_map(Value::as_str) {
        assert!(!text.contains(steers_display), "{text:?}");
    }
    let members: Value = serde_json::from_slice(&response.body).expect("an answer is JSON");
    if is_only_in_secrets(&members, &|name| name == "device_code") {
        assert_silent(Value::Object(device.fields.clone()).to_string());
        assert_silent(format!("{device:?}"));
    }
}

fn check_managed_identities(response: &HttpResponse) {
    let endpoint = Url::parse("http://169.254.169.254/token").expect("a constant");
    let agent =
        AzureArc { endpoint: endpoint.clone(), platform: Platform::Linux, program_data: None };
    let request = ManagedIdentityRequest {
        id: ManagedIdentityId::SystemAssigned,
        resource: "https://vault.example".to_owned(),
        correlation_id: CorrelationId::new("id").expect("a constant"),
        token_to_refresh: None,
        capabilities: Vec::new(),
    };
    let sources = [
        ManagedIdentitySource::Imds(Imds { endpoint }),
        ManagedIdentitySource::AzureArc(agent.clone()),
        ManagedIdentitySource::CloudShell,
    ];
    match agent.key_file(&request, response, NOW) {
        Ok(path) => {
            let name =
                path.strip_prefix("/var/opt/azcmagent/tokens/").expect("in the agent's folder");
            assert!(name.ends_with(".key") && !name.contains('/'), "{path:?} is read");
        }
        Err(error) => assert_a_line(&error),
    }
    for source in sources {
        match source.parse_response(&request, response, NOW) {
            Ok(token) => check_token(&token),
            Err(error) => assert_a_line(&error),
        }
    }
}

fn check_token(token: &TokenResponse) {
    assert!(!token.access_token.is_empty() && token.expires_in >= 0);
}

/// An error's text stands in a log and on a terminal.
fn assert_a_line(error: &impl std::error::Error) {
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control) && shown.len() < 2048, "{} bytes", shown.len());
}
