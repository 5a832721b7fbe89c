//! Managed identities, by each source's own dialect.

use std::path::Path;

use serde_json::{Value, json};

use super::http::{Answer, decode_claims, form, get, send, start};
use crate::entra::{Effect, Endpoint, EntraEmulator, Fault, Machine, Tls, UserAssignedIdentity};

const IMDS: &str = "/metadata/identity/oauth2/token";
const RESOURCE: &str = "https://vault.azure.net";
const CLIENT_ID: &str = "a55164ed-0000-4000-8000-000000000001";

fn assigned() -> UserAssignedIdentity {
    UserAssignedIdentity {
        client_id: CLIENT_ID.into(),
        object_id: "a55164ed-0000-4000-8000-000000000002".into(),
        resource_id: "/subscriptions/s/identities/one".into(),
    }
}

async fn start_machine() -> EntraEmulator {
    start(|options| options.machine.user_assigned = vec![assigned()]).await
}

async fn ask(emulator: &EntraEmulator, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::Request::get(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(emulator, request.body(String::new()).expect("a request")).await
}

fn variable(emulator: &EntraEmulator, source: &str, name: &str) -> String {
    emulator.control().machine_environments()[source][name].clone()
}

fn imds_path(more: &str) -> String {
    format!("{IMDS}?api-version=2018-02-01&resource={RESOURCE}{more}")
}

#[tokio::test]
async fn imds_writes_its_numbers_as_text() {
    let emulator = start_machine().await;
    let token = ask(&emulator, &imds_path(""), &[("Metadata", "true")]).await.json();
    assert_eq!((&token["expires_in"], &token["resource"]), (&json!("86400"), &json!(RESOURCE)));
    let claims = decode_claims(&token["access_token"]);
    assert_eq!((&claims["aud"], &claims["idtyp"]), (&json!(RESOURCE), &json!("app")));
    assert_eq!(token["expires_on"], claims["exp"].to_string());
}

#[tokio::test]
async fn an_identity_is_named_by_any_of_its_ids() {
    let emulator = start_machine().await;
    for (parameter, value, expected) in [
        ("client_id", CLIENT_ID, Some(assigned().object_id)),
        ("object_id", &assigned().object_id, Some(assigned().object_id)),
        ("msi_res_id", "/Subscriptions/s/identities/one", Some(assigned().object_id)),
        ("client_id", "another", None),
    ] {
        let path = imds_path(&format!("&{parameter}={value}"));
        let answer = ask(&emulator, &path, &[("Metadata", "true")]).await;
        let subject = expected.is_some().then(|| {
            decode_claims(&answer.json()["access_token"])["sub"].as_str().map(str::to_owned)
        });
        assert_eq!(subject.flatten(), expected, "{parameter}={value}");
        assert_eq!(answer.status, if expected.is_some() { 200 } else { 400 });
    }
    emulator.control().set_machine(Machine { system_assigned: false, ..Machine::default() });
    let answer = ask(&emulator, &imds_path(""), &[("Metadata", "true")]).await;
    assert_eq!(answer.json()["error_description"], "Identity not found");
}

#[tokio::test]
async fn imds_answers_only_who_meant_it() {
    let emulator = start_machine().await;
    for (path, headers, status) in [
        (imds_path(""), &[][..], 400),
        (imds_path(""), &[("Metadata", "false")], 400),
        (imds_path(""), &[("Metadata", "true"), ("X-Forwarded-For", "10.0.0.1")], 400),
        (format!("{IMDS}?resource={RESOURCE}"), &[("Metadata", "true")], 400),
        (format!("{IMDS}?api-version=2018-02-01"), &[("Metadata", "true")], 400),
        (imds_path(""), &[("Metadata", "True")], 200),
    ] {
        assert_eq!(ask(&emulator, &path, headers).await.status, status, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn imds_can_be_told_to_fail_a_while() {
    let emulator = start_machine().await;
    for status in [404, 410, 429, 500] {
        let fault = Fault::new(Endpoint::ManagedIdentity, Effect::status(status)).times(2);
        emulator.control().add_fault(fault);
        for expected in [status, status, 200] {
            let answer = ask(&emulator, &imds_path(""), &[("Metadata", "true")]).await;
            assert_eq!(answer.status, expected);
        }
    }
}

#[tokio::test]
async fn the_compute_metadata_tells_the_region() {
    let emulator = start(|options| options.machine.region = "westus2".into()).await;
    let path = "/metadata/instance/compute?api-version=2021-02-01";
    assert_eq!(ask(&emulator, path, &[]).await.status, 400);
    let metadata = ask(&emulator, path, &[("Metadata", "true")]).await;
    assert_eq!(metadata.json()["location"], "westus2");
    let path = "/metadata/instance/compute/location?format=text&api-version=2021-02-01";
    assert_eq!(ask(&emulator, path, &[("Metadata", "true")]).await.body, "westus2");
    assert_eq!(emulator.control().requests_to(Endpoint::ComputeMetadata).len(), 3);
}

#[tokio::test]
async fn app_service_and_machine_learning_want_their_secret() {
    let emulator = start_machine().await;
    for (path, header, secret, client_id) in [
        (
            "/msi/token?api-version=2019-08-01",
            "X-IDENTITY-HEADER",
            variable(&emulator, "app_service", "IDENTITY_HEADER"),
            "client_id",
        ),
        (
            "/MSI/auth?api-version=2017-09-01",
            "secret",
            variable(&emulator, "machine_learning", "MSI_SECRET"),
            "clientid",
        ),
    ] {
        let whole = format!("{path}&resource={RESOURCE}&{client_id}={CLIENT_ID}");
        let token = ask(&emulator, &whole, &[(header, &secret)]).await.json();
        let claims = decode_claims(&token["access_token"]);
        assert_eq!(claims["azp"], CLIENT_ID);
        assert_eq!(token["expires_on"], claims["exp"].to_string());
        assert_eq!(token["expires_in"], Value::Null);
        for (path, secret, status) in [
            (&whole, "wrong", 401),
            (&path.to_owned(), secret.as_str(), 400),
            (&whole.replace(CLIENT_ID, "another"), &secret, 400),
        ] {
            let refused = ask(&emulator, path, &[(header, secret)]).await;
            assert_eq!(
                (refused.status, refused.json()["statusCode"].clone()),
                (status, json!(status))
            );
            assert!(refused.json()["message"].is_string());
        }
    }
}

#[tokio::test]
async fn arc_wants_the_content_of_the_file_that_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = start(|options| {
        options.machine = Machine {
            user_assigned: vec![assigned()],
            arc_key_folder: Some(folder.path().to_owned()),
            ..Machine::default()
        };
    })
    .await;
    let path = format!("{IMDS}?api-version=2020-06-01&resource={RESOURCE}&client_id={CLIENT_ID}");
    let challenge = ask(&emulator, &path, &[("Metadata", "true")]).await;
    assert_eq!(challenge.status, 401);
    let file = challenge.header("www-authenticate").strip_prefix("Basic realm=").expect("a realm");
    assert!(Path::new(file).starts_with(folder.path()) && file.ends_with(".key"), "{file}");
    let key = std::fs::read_to_string(file).expect("a key");
    let basic = format!("Basic {key}");
    let headers = [("Metadata", "true"), ("Authorization", basic.as_str())];
    let token = ask(&emulator, &path, &headers).await.json();
    assert_eq!(token["client_id"], CLIENT_ID);
    assert_eq!(token["object_id"], assigned().object_id);
    assert!(!Path::new(file).exists());
    assert_eq!(ask(&emulator, &path, &headers).await.status, 403, "a key is good for one request");
}

#[tokio::test]
async fn arc_says_when_it_has_no_folder_for_keys() {
    let emulator = start_machine().await;
    let path = format!("{IMDS}?api-version=2020-06-01&resource={RESOURCE}");
    assert_eq!(ask(&emulator, &path, &[("Metadata", "true")]).await.status, 501);
}

#[tokio::test]
async fn cloud_shell_takes_a_form() {
    let emulator = start_machine().await;
    for (resource, metadata, status) in
        [(RESOURCE, "true", 200), ("", "true", 400), (RESOURCE, "false", 400)]
    {
        let mut request = form("/oauth2/token", &[("resource", resource)]);
        request.headers_mut().insert("metadata", metadata.parse().expect("a header"));
        let answer = send(&emulator, request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["access_token"].is_string(), status == 200);
    }
}

#[tokio::test]
async fn service_fabric_has_codes_of_its_own() {
    let emulator = start_machine().await;
    let secret = variable(&emulator, "app_service", "IDENTITY_HEADER");
    let base = format!("{IMDS}?api-version=2019-07-01-preview");
    let with_resource = format!("{base}&resource={RESOURCE}&xms_cc=CP1,CP2");
    for (path, secret, code) in [
        (&with_resource, "wrong", "SecretHeaderNotFound"),
        (&base, secret.as_str(), "ArgumentNullOrEmpty"),
    ] {
        let refused = ask(&emulator, path, &[("Secret", secret)]).await.json();
        assert_eq!(refused["error"]["code"], code);
    }
    let token = ask(&emulator, &with_resource, &[("Secret", &secret)]).await.json();
    let claims = decode_claims(&token["access_token"]);
    assert_eq!((&token["expires_on"], &token["token_type"]), (&claims["exp"], &json!("Bearer")));
    assert_eq!(claims["xms_cc"], json!(["CP1", "CP2"]));
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_that_was_announced() {
    let emulator = start(|options| options.tls_port = Some(0)).await;
    let tls = emulator.control().tls().expect("TLS");
    let status = get_over_tls(&tls, IMDS).await;
    assert_eq!(status, "HTTP/1.1 400");
    let endpoint = variable(&emulator, "service_fabric", "IDENTITY_ENDPOINT");
    assert_eq!(endpoint, format!("{}{IMDS}", tls.base_url));
    let thumbprint = variable(&emulator, "service_fabric", "IDENTITY_SERVER_THUMBPRINT");
    assert_eq!((thumbprint.len(), thumbprint), (40, tls.thumbprint));
    // Documents name the URL that clients which insist on https can use.
    let document = get(&emulator, "/common/v2.0/.well-known/openid-configuration").await.json();
    let endpoint = format!("{}/common/oauth2/v2.0/token", tls.base_url);
    assert_eq!(document["token_endpoint"], endpoint);
}

/// The first words of an answer, from a client that trusts this one certificate.
async fn get_over_tls(tls: &Tls, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(tls.certificate.as_bytes()).expect("PEM"))
        .expect("a certificate");
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port = tls.base_url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port.expect("a port"))).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, stream.expect("the emulator listens"))
        .await
        .expect("a handshake");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a live connection");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    String::from_utf8_lossy(&first).into_owned()
}
