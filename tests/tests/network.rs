//! The network of a company: a proxy on the way out, hosts that need none, and a root certificate of its own.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Answer, CLIENT_ID, Caller, Machine, Proxy, TlsFront, World};

/// A world whose provider speaks TLS, with a certificate that no system knows.
struct Company {
    world: World,
    front: TlsFront,
}

impl Company {
    /// With these variables, of which `ROOT` stands for the file with the root certificate and `ROOTS` for its folder.
    async fn with(variables: &[(&str, &str)]) -> Self {
        let mut front = TlsFront::new().await;
        let mut machine = Machine::new();
        let root = keep(&machine, &front);
        for (name, value) in variables {
            match *value {
                "ROOT" => machine.set(name, &root),
                "ROOTS" => machine.set(name, root.parent().unwrap()),
                value => machine.set(name, value),
            }
        }
        let options = Options { public_url: Some(front.url()), ..Options::default() };
        let world = World::with(machine, options).await;
        front.pass_on_to(world.entra.base_url());
        Self { world, front }
    }

    async fn caller(&self) -> Caller {
        let authority = format!("{}/common", self.front.url());
        let definition =
            json!({"client_id": CLIENT_ID, "authority": authority, "validate_authority": false});
        Caller::open(self.world.machine.connect().await, &definition).await
    }

    async fn sign_in(&self) {
        let result = self.caller().await.sign_in(self.world.control(), ALICE).await;
        assert_eq!(result["token_source"], "identity_provider");
    }

    /// What a program is told that wants to sign in in vain.
    async fn complaint(&self) -> String {
        complaint(&self.caller().await.start_flow(json!({"kind": "device_code"})).await)
    }

    fn host(&self) -> String {
        self.front.url().replace("https://", "")
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's file, which holds nothing secret")]
fn keep(machine: &Machine, front: &TlsFront) -> PathBuf {
    let folder = machine.folder().join("roots");
    std::fs::create_dir(&folder).unwrap();
    let root = folder.join("company.pem");
    std::fs::write(&root, front.root()).unwrap();
    root
}

fn complaint(answer: &Answer) -> String {
    assert_eq!(answer.refusal(), (502, "provider_unreachable".to_owned()), "{answer:?}");
    let body: Value = answer.json();
    assert!(body["hint"].is_string(), "{body}");
    body["error_description"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_provider_is_reached_through_the_proxy() {
    let proxy = Proxy::start().await;
    let company = Company::with(&[("HTTPS_PROXY", &proxy.url()), ("SSL_CERT_FILE", "ROOT")]).await;
    company.sign_in().await;
    let asked = proxy.asked();
    let tunnel = format!("CONNECT {}", company.host());
    assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == tunnel), "{asked:?}");
}

#[tokio::test]
async fn a_provider_without_tls_is_reached_through_the_proxy_for_such() {
    let proxy = Proxy::start().await;
    let machine = Machine::new().with("HTTP_PROXY", proxy.url());
    let world = World::with(machine, Options::default()).await;
    world.signed_in(ALICE).await;
    let asked = proxy.asked();
    let host = world.entra.base_url().replace("http://", "");
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.ends_with(&host)), "{asked:?}");
}

#[tokio::test]
async fn a_host_that_needs_no_proxy_is_reached_without() {
    let proxy = Proxy::start().await;
    for exempt in ["localhost", "intranet.example,localhost", "*"] {
        let variables =
            [("HTTPS_PROXY", &*proxy.url()), ("NO_PROXY", exempt), ("SSL_CERT_FILE", "ROOT")];
        Company::with(&variables).await.sign_in().await;
    }
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

#[tokio::test]
async fn a_root_certificate_of_the_company_is_trusted_once_it_is_named() {
    for variable in [("SSL_CERT_FILE", "ROOT"), ("SSL_CERT_DIR", "ROOTS")] {
        Company::with(&[variable]).await.sign_in().await;
    }
    let told = Company::with(&[]).await.complaint().await;
    assert!(told.contains("not trusted") && told.contains("SSL_CERT_FILE"), "{told}");
}

#[tokio::test]
async fn a_proxy_that_is_dead_is_named() {
    // Bound and let go again, so that nobody listens there.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let url = format!("http://reader:hunter2@{dead}");
    let company = Company::with(&[("HTTPS_PROXY", &url)]).await;
    let told = company.complaint().await;
    assert!(told.contains("the proxy of HTTPS_PROXY failed"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let proxy = Proxy::refusing().await;
    let told = Company::with(&[("HTTPS_PROXY", &proxy.url())]).await.complaint().await;
    assert!(told.contains("the proxy of HTTPS_PROXY failed"), "{told}");
    assert!(told.contains("authorization required"), "{told}");
    assert!(!proxy.asked().is_empty());
}
