//! Tokens for what an application has in its hands: its credential, a user's call, a password, another library's tokens.

use std::collections::HashSet;
use std::sync::Arc;

use valetkey_engine::{
    AppTokensRequest, ClientApplication, ClientCredential, ClientType, Definition, Extras, Grant,
    RegionWish,
};
use valetkey_model::{ScopeSet, Secret};
use valetkey_oauth::{ClientCertificate, PemCredential};
use valetkey_testkit::http::{On, Reply};
use valetkey_testkit::world::{TestWorld, define, run, settle};

const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../oauth/src/credential/fixtures/", $name))
    };
}

async fn service(world: &TestWorld, credential: ClientCredential) -> Arc<ClientApplication> {
    let definition = define("service", &world.entra.authority, false);
    let client_type = ClientType::Confidential;
    world.open(Definition { client_type, credential: Some(credential), ..definition }).await
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn call_of(assertion: &str) -> Grant {
    Grant::OnBehalfOf { user_assertion: Some(secret(assertion)), session_key: None }
}

fn process(assertion: Option<&str>, key: &str) -> Grant {
    Grant::OnBehalfOf { user_assertion: assertion.map(secret), session_key: Some(secret(key)) }
}

#[test]
fn an_applications_own_token_is_asked_for_once_for_all_callers() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask =
            || world.redeem(world.grant_request(&app, Grant::ClientCredentials, "r/.default"));
        let gate = world.http.hold(On::grant("client_credentials"));
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let world = world.clone();
                let request = world.grant_request(&app, Grant::ClientCredentials, "r/.default");
                tokio::spawn(async move { world.redeem(request).await })
            })
            .collect();
        settle().await;
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "issued at-1");
        }
        assert_eq!(ask().await, "cached at-1");
        let sent = world.http.requests(&On::grant("client_credentials"));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].form_value("client_secret"), Some("s3cret"));
        // As given: no user is there for whom `offline_access` would be asked.
        assert_eq!(sent[0].form_value("scope"), Some("r/.default"));
        world.clock.advance(3600).await;
        assert_eq!(ask().await, "issued at-2");
        assert!(world.accounts(&app).await.is_empty());
    });
}

#[test]
fn an_applications_tokens_are_told_apart_by_what_is_out_of_the_ordinary() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask = |fmi_path: Option<&str>, claims: Option<&str>| {
            let extras = Extras {
                fmi_path: fmi_path.map(str::to_owned),
                forwarded_claims: claims.map(str::to_owned),
                ..Extras::default()
            };
            let mut request = world.grant_request(&app, Grant::ClientCredentials, "r/.default");
            request.extras = extras;
            world.redeem(request)
        };
        assert_eq!(ask(None, None).await, "issued at-1");
        assert_eq!(ask(Some("agent"), None).await, "issued at-2");
        assert_eq!(ask(None, Some(r#"{"a":1}"#)).await, "issued at-3");
        assert_eq!(ask(Some("agent"), None).await, "cached at-2");
        assert_eq!(ask(None, None).await, "cached at-1");
        assert_eq!(ask(None, Some("[]")).await, "claims are no JSON object");
    });
}

#[test]
fn a_fault_on_the_way_does_not_withhold_an_applications_token_that_is_still_good() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.refresh_in = Some(1800));
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask =
            || world.redeem(world.grant_request(&app, Grant::ClientCredentials, "r/.default"));
        assert_eq!(ask().await, "issued at-1");
        world.clock.advance(1900).await;
        world.http.script(On::grant("client_credentials"), Reply::offline());
        assert_eq!(ask().await, "cached at-1");
        settle().await;
        world.http.forget_scripts();
        world.clock.advance(100).await;
        assert_eq!(ask().await, "cached at-1");
        settle().await;
        assert_eq!(ask().await, "cached at-2");
    });
}

#[test]
fn a_program_that_makes_its_assertions_is_told_when_one_is_needed() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::AssertionCallback).await;
        let request = world.grant_request(&app, Grant::ClientCredentials, "r/.default");
        let user = world.user().await;
        let authorized = world.authorize(request.clone());
        let asked = world.engine.acquire_token_by_grant(&user, &authorized);
        let Err(valetkey_engine::Error::ClientAssertionNeeded {
            client_id, token_endpoint, ..
        }) = asked.await
        else {
            panic!("an assertion is needed")
        };
        assert_eq!(client_id, "service");
        assert_eq!(token_endpoint, format!("{}/oauth2/v2.0/token", world.entra.authority));
        let mut again = request.clone();
        again.client_assertion = Some(secret("made-by-the-program"));
        assert_eq!(world.redeem(again).await, "issued at-1");
        // What is cached needs no proof.
        assert_eq!(world.redeem(request).await, "cached at-1");
        let sent = world.http.requests(&On::grant("client_credentials"));
        assert_eq!(sent[0].form_value("client_assertion"), Some("made-by-the-program"));
    });
}

#[test]
fn an_assertion_is_sent_again_at_microsoft_and_nowhere_else() {
    run(async {
        let world = TestWorld::new();
        let certificate = ClientCertificate::from_pem(&PemCredential {
            private_key: &secret(fixture!("key.pem")),
            passphrase: None,
            certificate: Some(fixture!("certificate.pem")),
            thumbprint: None,
            send_certificate: false,
        });
        let certificate = Arc::new(certificate.unwrap());
        for (provider, is_oidc, different) in [(&world.entra, false, 1), (&world.op, true, 3)] {
            let app = world
                .open(Definition {
                    client_type: ClientType::Confidential,
                    credential: Some(ClientCredential::Certificate(Arc::clone(&certificate))),
                    ..define("service", &provider.authority, is_oidc)
                })
                .await;
            let before = world.http.count(&On::grant("client_credentials"));
            for scope in ["a/.default", "b/.default", "c/.default"] {
                let request = world.grant_request(&app, Grant::ClientCredentials, scope);
                assert!(world.redeem(request).await.starts_with("issued"));
            }
            let sent = world.http.requests(&On::grant("client_credentials"));
            let assertions: HashSet<_> =
                sent[before..].iter().filter_map(|it| it.form_value("client_assertion")).collect();
            assert_eq!((sent.len() - before, assertions.len()), (3, different));
        }
    });
}

#[test]
fn what_one_call_brought_on_behalf_of_a_user_is_never_given_to_another() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask = |call: &str| world.redeem(world.grant_request(&app, call_of(call), "a"));
        assert_eq!(ask("ada:1").await, "issued at-1");
        assert_eq!(ask("ada:1").await, "cached at-1");
        assert_eq!(ask("ada:2").await, "issued at-2");
        assert_eq!(ask("bob:1").await, "issued at-3");
        assert_eq!(ask("ada:1").await, "cached at-1");
        assert!(world.accounts(&app).await.is_empty());
        // No refresh token is kept for a call: the next one brings its own.
        assert!(world.store.refresh_tokens(world.partition()).is_empty());
        let sent = world.http.requests(&On::grant(ON_BEHALF_OF));
        assert_eq!(sent.len(), 3);
        assert_eq!(sent[0].form_value("requested_token_use"), Some("on_behalf_of"));
    });
}

#[test]
fn a_long_running_process_goes_on_after_its_user_has_gone() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask = |grant: Grant| world.redeem(world.grant_request(&app, grant, "a"));
        assert_eq!(ask(process(Some("ada:1"), "key-1")).await, "issued at-1");
        assert_eq!(ask(process(None, "key-1")).await, "cached at-1");
        world.clock.advance(3600).await;
        assert_eq!(ask(process(None, "key-1")).await, "issued at-2");
        assert_eq!(world.http.count(&On::refresh()), 1);
        let none = "no long-running process has this key, or the provider has ended it";
        assert_eq!(ask(process(None, "key-2")).await, none);
        // A dead refresh token: the user's next call begins the process anew.
        world.entra.end_sign_ins_of("ada");
        world.clock.advance(3600).await;
        assert_eq!(ask(process(Some("ada:2"), "key-1")).await, "issued at-3");
    });
}

#[test]
fn a_password_brings_its_user_in() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let ask = |username: &str, password: &str| {
            let (username, password) = (username.to_owned(), secret(password));
            world.redeem(world.grant_request(&app, Grant::Password { username, password }, "a"))
        };
        assert!(ask("ada@contoso.com", "wrong").await.contains("invalid_grant"));
        assert!(world.accounts(&app).await.is_empty());
        assert_eq!(ask("ada@contoso.com", "ada").await, "issued at-1");
        assert_eq!(world.accounts(&app).await, ["ada@contoso.com"]);
        assert_eq!(world.token(&app, "a").await, "cached at-1");
    });
}

#[test]
fn a_migrated_refresh_token_is_kept_even_if_the_provider_sends_none_back() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.rotates = false);
        let app = world.app("editor").await;
        assert_eq!(world.sign_in(&app, "ada", "a").await, "issued at-1");
        let other = world.as_uid(2000);
        let app = other.app("editor").await;
        let grant = Grant::RefreshToken(secret("rt-1"));
        assert_eq!(other.redeem(other.grant_request(&app, grant, "a")).await, "issued at-2");
        assert_eq!(other.store.refresh_tokens(other.partition()), ["rt-1"]);
        assert_eq!(other.accounts(&app).await, ["ada@contoso.com"]);
    });
}

#[test]
fn a_code_that_is_not_for_this_nonce_leaves_no_trace() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let redeem = |nonce: &str| {
            let grant = Grant::AuthorizationCode {
                code: secret("foreign"),
                redirect_uri: Some("http://localhost:1".to_owned()),
                nonce: Some(nonce.to_owned()),
            };
            world.redeem(world.grant_request(&app, grant, "a"))
        };
        // {"nonce":"n1","sub":"ada"}
        let id_token = "e30.eyJub25jZSI6Im4xIiwic3ViIjoiYWRhIn0.c2ln";
        let answer = serde_json::json!({
            "access_token": "at", "token_type": "Bearer", "expires_in": 3600, "id_token": id_token,
        });
        let on = || On::grant("authorization_code");
        world.http.script(on(), valetkey_testkit::http::json(200, &answer));
        assert!(redeem("n2").await.contains("nonce"));
        assert!(world.accounts(&app).await.is_empty());
        assert_eq!(redeem("n1").await, "issued at");
        assert_eq!(world.accounts(&app).await.len(), 1);
        let scopes = ScopeSet::from_target("a");
        let sent = world.http.requests(&on());
        assert!(scopes.is_subset(&ScopeSet::from_target(sent[0].form_value("scope").unwrap())));
    });
}

#[test]
fn an_applications_own_token_is_asked_for_in_its_region_and_a_users_is_not() {
    run(async {
        let world = TestWorld::new();
        let definition = define("service", "https://login.microsoftonline.com/contoso", false);
        let region = valetkey_oauth::Region::new("westus2").unwrap();
        let app = world
            .open(Definition {
                client_type: ClientType::Confidential,
                credential: Some(ClientCredential::Secret(secret("s3cret"))),
                region: Some(RegionWish::Named(region)),
                ..definition
            })
            .await;
        let metadata = serde_json::json!({
            "issuer": "https://login.microsoftonline.com/contoso/v2.0",
            "authorization_endpoint": "https://login.microsoftonline.com/contoso/oauth2/v2.0/authorize",
            "token_endpoint": "https://login.microsoftonline.com/contoso/oauth2/v2.0/token",
        });
        let token = serde_json::json!({"access_token": "at", "expires_in": 3600});
        world.http.script(On::discovery(), valetkey_testkit::http::json(200, &metadata));
        world.http.script(On::url("/token"), valetkey_testkit::http::json(200, &token));
        let ask = |grant: Grant| world.redeem(world.grant_request(&app, grant, "r/.default"));
        assert_eq!(ask(Grant::ClientCredentials).await, "issued at");
        assert_eq!(ask(call_of("ada:1")).await, "issued at");
        let hosts: Vec<_> = world
            .http
            .requests(&On::url("/token"))
            .iter()
            .map(|request| request.url.host_str().unwrap().to_owned())
            .collect();
        assert_eq!(hosts, ["westus2.login.microsoft.com", "login.microsoftonline.com"]);
    });
}

#[test]
fn a_machine_that_does_not_tell_its_region_is_waited_for_once_and_not_long() {
    run(async {
        let world = TestWorld::new();
        let _never_opened = world.http.hold(On::url("169.254.169.254"));
        let open = async |name: &str| {
            let definition = define(name, &world.entra.authority, false);
            world
                .open(Definition {
                    client_type: ClientType::Confidential,
                    credential: Some(ClientCredential::Secret(secret("s3cret"))),
                    region: Some(RegionWish::Detected),
                    ..definition
                })
                .await
        };
        let ask = |app: &Arc<ClientApplication>| {
            let request = world.grant_request(app, Grant::ClientCredentials, "r/.default");
            let world = world.clone();
            tokio::spawn(async move { world.redeem(request).await })
        };
        let first = ask(&open("one").await);
        settle().await;
        world.clock.advance(1).await;
        assert!(!first.is_finished());
        world.clock.advance(1).await;
        assert_eq!(first.await.unwrap(), "issued at-1");
        assert_eq!(ask(&open("other").await).await.unwrap(), "issued at-2");
        assert_eq!(world.http.count(&On::url("169.254.169.254")), 1);
    });
}

#[test]
fn an_application_forgets_its_own_tokens_and_nobody_elses() {
    run(async {
        let world = TestWorld::new();
        let app = service(&world, ClientCredential::Secret(secret("s3cret"))).await;
        let ask = |fmi_path: Option<&str>| {
            let mut request = world.grant_request(&app, Grant::ClientCredentials, "r/.default");
            request.extras.fmi_path = fmi_path.map(str::to_owned);
            world.redeem(request)
        };
        let call = || world.redeem(world.grant_request(&app, call_of("of a user"), "r/x"));
        assert_eq!(ask(None).await, "issued at-1");
        assert_eq!(ask(Some("agent")).await, "issued at-2");
        assert_eq!(call().await, "issued at-3");
        let user = world.user().await;
        let authorized = world.authorize(AppTokensRequest { app: Arc::clone(&app) });
        world.engine.remove_app_tokens(&user, &authorized).await.unwrap();
        assert_eq!(call().await, "cached at-3");
        assert_eq!(ask(None).await, "issued at-4");
        assert_eq!(ask(Some("agent")).await, "issued at-5");
    });
}

#[test]
fn a_public_application_has_no_tokens_of_its_own() {
    run(async {
        let world = TestWorld::new();
        let user = world.user().await;
        let authorized = world.authorize(AppTokensRequest { app: world.app("a").await });
        let refused = world.engine.remove_app_tokens(&user, &authorized).await;
        assert!(matches!(refused, Err(valetkey_engine::Error::NoOwnTokens)), "{refused:?}");
    });
}
