//! The network of a company: a proxy on the way out, hosts that need none, and a root certificate of its own.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Answer, BOB, CLIENT_ID, Caller, Machine, Proxy, TlsFront, World};

/// A world whose provider speaks TLS, with a certificate that no system knows.
struct Company {
    world: World,
    front: TlsFront,
}

impl Company {
    /// With these variables, of which `ROOT` stands for the file with the root certificate and `ROOTS` for its folder.
    async fn with(variables: &[(&str, &str)]) -> Self {
        Self::behind(TlsFront::new().await, variables).await
    }

    /// The same, but the provider's name leads nowhere without the company's proxy: this machine's own needs none.
    async fn away(variables: &[(&str, &str)]) -> Self {
        Self::behind(TlsFront::named("login.company.test").await, variables).await
    }

    async fn behind(mut front: TlsFront, variables: &[(&str, &str)]) -> Self {
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
        self.caller_by(&Value::Null).await
    }

    /// A program that has its own way to the provider.
    async fn caller_by(&self, network: &Value) -> Caller {
        let authority = format!("{}/common", self.front.url());
        let definition = json!({
            "client_id": CLIENT_ID,
            "authority": authority,
            "validate_authority": false,
            "network": network,
        });
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
    let company = Company::away(&[("HTTPS_PROXY", &proxy.url()), ("SSL_CERT_FILE", "ROOT")]).await;
    company.sign_in().await;
    let asked = proxy.asked();
    let tunnel = format!("CONNECT {}", company.host());
    assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == tunnel), "{asked:?}");
}

#[tokio::test]
async fn a_host_that_needs_no_proxy_is_reached_without() {
    let proxy = Proxy::start().await;
    for exempt in ["company.test", "intranet.example,login.company.test", "*"] {
        let variables =
            [("HTTPS_PROXY", &*proxy.url()), ("NO_PROXY", exempt), ("SSL_CERT_FILE", "ROOT")];
        // Without the proxy nobody knows the name.
        let told = Company::away(&variables).await.complaint().await;
        assert!(told.contains("login.company.test"), "{told}");
    }
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    let variables = [("HTTPS_PROXY", &*proxy.url()), ("SSL_CERT_FILE", "ROOT")];
    Company::with(&variables).await.sign_in().await;
    assert!(proxy.asked().is_empty(), "this machine is no way off: {:?}", proxy.asked());
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
    let company = Company::away(&[("HTTPS_PROXY", &url)]).await;
    let told = company.complaint().await;
    assert!(told.contains("the proxy of HTTPS_PROXY failed"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let proxy = Proxy::refusing().await;
    let told = Company::away(&[("HTTPS_PROXY", &proxy.url())]).await.complaint().await;
    assert!(told.contains("the proxy of HTTPS_PROXY failed"), "{told}");
    assert!(told.contains("authorization required"), "{told}");
    assert!(!proxy.asked().is_empty());
}

#[tokio::test]
async fn a_root_certificate_of_an_application_is_trusted_for_it_and_for_nobody_else() {
    let company = Company::with(&[]).await;
    let root = json!({"ca_certificates": company.front.root()});
    let result = company.caller_by(&root).await.sign_in(company.world.control(), ALICE).await;
    assert_eq!(result["token_source"], "identity_provider");
    // What the one application found out and signed in to is on the disk: the other must not be led by it.
    for _ in 0..2 {
        let told = company.complaint().await;
        assert!(told.contains("not trusted"), "{told}");
    }
    let foreign = json!({"ca_certificates": TlsFront::new().await.root()});
    let mut caller = company.caller_by(&foreign).await;
    let told = complaint(&caller.start_flow(json!({"kind": "device_code"})).await);
    assert!(told.contains("not trusted"), "{told}");
}

#[tokio::test]
async fn a_bundle_as_large_as_a_systems_fits_into_a_definition() {
    let company = Company::with(&[]).await;
    let mut bundle = company.front.root().to_owned();
    let other = TlsFront::new().await;
    while bundle.len() < 300 * 1024 {
        bundle.push_str(other.root());
    }
    let mut caller = company.caller_by(&json!({"ca_certificates": bundle})).await;
    caller.sign_in(company.world.control(), ALICE).await;
}

#[tokio::test]
async fn a_proxy_of_an_application_is_taken_for_it_and_never_to_this_machine() {
    let proxy = Proxy::start().await;
    let company = Company::with(&[("SSL_CERT_FILE", "ROOT")]).await;
    let network = json!({"proxies": {"all": proxy.url()}});
    let mut caller = company.caller_by(&network).await;
    caller.sign_in(company.world.control(), ALICE).await;
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    let definition = json!({
        "client_id": CLIENT_ID,
        "oidc_authority": "https://op.invalid",
        "network": network,
    });
    let connection = company.world.machine.connect().await;
    let mut caller = Caller::open(connection, &definition).await;
    let told = complaint(&caller.start_flow(json!({"kind": "device_code"})).await);
    assert!(told.contains("the application's own proxy failed"), "{told}");
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "{told}");
    assert!(asked.iter().all(|asked| *asked == "CONNECT op.invalid:443"), "{asked:?}");
}

#[tokio::test]
async fn nothing_of_the_shared_cache_goes_by_a_way_that_a_program_brought() {
    let company = Company::with(&[("SSL_CERT_FILE", "ROOT")]).await;
    company.sign_in().await;
    let control = company.world.control();
    let (proxy, root) = (Proxy::start().await, company.front.root());
    for way in [json!({"ca_certificates": root}), json!({"proxies": {"https": proxy.url()}})] {
        let mut caller = company.caller_by(&way).await;
        assert_eq!(caller.usernames().await, [""; 0], "{way}");
        let refused = caller.token(json!({"force_refresh": true})).await;
        assert_eq!(refused.refusal(), (409, "sign_in_needed".to_owned()), "{way}");
        caller.sign_in(control, BOB).await;
        // The way is what counts, and whoever goes it has what came by it.
        let mut patient = way.clone();
        patient["timeout"] = json!(31);
        let mut other = company.caller_by(&patient).await;
        assert_eq!(other.usernames().await, [BOB], "{way}");
        let bob = other.accounts().await[0]["home_account_id"].as_str().unwrap().to_owned();
        other.sign_out(&bob).await.success();
        assert_eq!(caller.usernames().await, [""; 0], "{way}");
    }
    let mut usual = company.caller().await;
    assert_eq!(usual.usernames().await, [ALICE]);
    usual.token(json!({"force_refresh": true})).await.success();
}

#[tokio::test]
async fn patience_alone_leads_to_the_shared_cache() {
    let company = Company::with(&[("SSL_CERT_FILE", "ROOT")]).await;
    company.sign_in().await;
    let mut patient = company.caller_by(&json!({"timeout": 31})).await;
    assert_eq!(patient.usernames().await, [ALICE]);
    patient.token(json!({"force_refresh": true})).await.success();
}
