//! Managed identities: one request for many, what a source's bad moments cost, and what each source wants to see first.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use url::Url;
use valetkey_engine::{
    ManagedIdentityApplication, ManagedIdentityDefinition, ResourceTokenRequest,
};
use valetkey_model::{ClientId, Secret};
use valetkey_oauth::{
    AppService, AzureArc, Imds, ManagedIdentityId, ManagedIdentitySource, Platform, ServiceFabric,
    Thumbprint,
};
use valetkey_policy::{Asker, Policy, decide_on_machine};
use valetkey_testkit::http::{On, Reply, json, status};
use valetkey_testkit::world::{TestWorld, run, settle, tell};

const RESOURCE: &str = "https://vault.example";
const ENDPOINT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const THUMBPRINT: &str = "0123456789abcdef0123456789abcdef01234567";

fn imds() -> ManagedIdentitySource {
    ManagedIdentitySource::Imds(Imds { endpoint: Url::parse(ENDPOINT).unwrap() })
}

fn arc() -> ManagedIdentitySource {
    ManagedIdentitySource::AzureArc(AzureArc {
        endpoint: Url::parse("http://localhost:40342/token").unwrap(),
        platform: Platform::Linux,
        program_data: None,
    })
}

fn token(name: &str, lifetime: i64) -> Reply {
    json(200, &json!({"access_token": name, "expires_in": lifetime, "token_type": "Bearer"}))
}

fn of_source() -> On {
    On::url("resource=")
}

async fn open(world: &TestWorld, source: ManagedIdentitySource) -> Arc<ManagedIdentityApplication> {
    let definition = ManagedIdentityDefinition {
        client_id: ClientId::new("SYSTEM_ASSIGNED_MANAGED_IDENTITY").unwrap(),
        id: ManagedIdentityId::SystemAssigned,
        source,
        capabilities: vec!["CP1".to_owned()],
        partition: world.partition().clone(),
    };
    world.user().await.open_managed_identity(definition).unwrap()
}

fn ask(world: &TestWorld, app: &Arc<ManagedIdentityApplication>) -> ResourceTokenRequest {
    ResourceTokenRequest {
        app: Arc::clone(app),
        resource: RESOURCE.to_owned(),
        force_refresh: false,
        claims_challenge: None,
        correlation_id: world.engine.new_correlation_id(),
    }
}

async fn acquire(world: &TestWorld, request: ResourceTokenRequest) -> String {
    let authorized =
        decide_on_machine(&Policy::of_user(), &Asker::plain(&world.caller), request).unwrap();
    let user = world.user().await;
    tell(&world.engine.acquire_token_for_managed_identity(&user, &authorized).await)
}

fn spawn(world: &TestWorld, request: ResourceTokenRequest) -> JoinHandle<String> {
    let world = world.clone();
    tokio::spawn(async move { acquire(&world, request).await })
}

#[test]
fn many_callers_make_one_request_and_the_next_none() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world, imds()).await;
        world.http.script(of_source(), token("mi-1", 3600));
        let gate = world.http.hold(of_source());
        let callers: Vec<_> = (0..20).map(|_| spawn(&world, ask(&world, &app))).collect();
        settle().await;
        assert_eq!((world.http.count(&of_source()), gate.held()), (1, 1));
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "issued mi-1");
        }
        assert_eq!(acquire(&world, ask(&world, &app)).await, "cached mi-1");
        assert_eq!(world.http.count(&of_source()), 1);
    });
}

#[test]
fn a_token_survives_a_restart_under_msals_key() {
    run(async {
        let mut world = TestWorld::new();
        let app = open(&world, imds()).await;
        world.http.script(of_source(), token("mi-1", 3600));
        assert_eq!(acquire(&world, ask(&world, &app)).await, "issued mi-1");
        world.restart();
        let app = open(&world, imds()).await;
        assert_eq!(acquire(&world, ask(&world, &app)).await, "cached mi-1");
        let other = ResourceTokenRequest { resource: "other".to_owned(), ..ask(&world, &app) };
        assert_eq!(
            acquire(&world, other).await,
            "issued mi-1",
            "another resource is another token"
        );
    });
}

#[test]
fn a_long_lived_token_is_renewed_at_half_time_and_stays_the_answer_meanwhile() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world, imds()).await;
        world.http.script_once(of_source(), token("mi-1", 7200));
        assert_eq!(acquire(&world, ask(&world, &app)).await, "issued mi-1");
        world.clock.advance(3600).await;
        world.http.script(of_source(), Reply::refusal("invalid_request"));
        for _ in 0..3 {
            assert_eq!(acquire(&world, ask(&world, &app)).await, "cached mi-1");
            settle().await;
        }
        assert_eq!(world.http.count(&of_source()), 2, "a failed renewal is not repeated at once");
        world.http.script(of_source(), token("mi-2", 7200));
        world.clock.advance(60).await;
        assert_eq!(acquire(&world, ask(&world, &app)).await, "cached mi-1");
        settle().await;
        assert_eq!(acquire(&world, ask(&world, &app)).await, "cached mi-2");
    });
}

#[test]
fn a_passing_fault_of_the_source_is_waited_out() {
    for (fault, waits, expected) in [
        (status(404), vec![1, 2, 4], "issued mi-1"),
        (status(410), vec![10; 7], "issued mi-1"),
        (status(429), vec![1], "issued mi-1"),
        (status(500), vec![1, 2], "issued mi-1"),
        (status(503).header("Retry-After", "7"), vec![7], "issued mi-1"),
        (status(500), vec![1, 2, 4, 8], "provider is unavailable (status 500)"),
        (status(429).header("Retry-After", "31"), vec![1], "provider is unavailable (status 429)"),
        (Reply::refusal("invalid_request"), vec![1], "provider answered invalid_request"),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = open(&world, imds()).await;
            world.http.script(of_source(), token("mi-1", 3600));
            for _ in &waits {
                world.http.script_once(of_source(), fault.clone());
            }
            let asking = spawn(&world, ask(&world, &app));
            settle().await;
            for wait in &waits {
                world.clock.advance(*wait).await;
                settle().await;
            }
            assert_eq!(asking.await.unwrap(), expected, "after {fault:?}");
        });
    }
}

#[test]
fn a_source_that_asked_to_be_left_alone_is_left_alone() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world, imds()).await;
        world.http.script(of_source(), status(429).header("Retry-After", "120"));
        for _ in 0..2 {
            let told = acquire(&world, ask(&world, &app)).await;
            assert_eq!(told, "provider is unavailable (status 429)");
        }
        assert_eq!(world.http.count(&of_source()), 1);
        world.http.script(of_source(), token("mi-1", 3600));
        world.clock.advance(120).await;
        assert_eq!(acquire(&world, ask(&world, &app)).await, "issued mi-1");
    });
}

#[test]
fn azure_arc_is_shown_the_key_that_it_asked_for() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world, arc()).await;
        let challenge = "Basic realm=/somewhere/else/1f.key";
        let challenged = || status(401).header("WWW-Authenticate", challenge);
        world.http.script_once(of_source(), challenged());
        let path = "/var/opt/azcmagent/tokens/1f.key";
        assert_eq!(
            acquire(&world, ask(&world, &app)).await,
            format!("read the key file {path} of Azure Arc: no such file")
        );
        world.machine.add_key_file(path, "open sesame");
        world.http.script_once(of_source(), token("mi-1", 3600));
        world.http.script_once(of_source(), challenged());
        assert_eq!(acquire(&world, ask(&world, &app)).await, "issued mi-1");
        let keyed = world.http.requests(&of_source()).pop().unwrap();
        assert_eq!(keyed.headers["authorization"], "Basic open sesame");
        let unchallenged = TestWorld::new();
        let app = open(&unchallenged, arc()).await;
        unchallenged.http.script(of_source(), token("anybody's", 3600));
        let told = acquire(&unchallenged, ask(&unchallenged, &app)).await;
        assert!(told.contains("challenge"), "{told}");
    });
}

#[test]
fn service_fabric_is_pinned_and_told_which_token_was_turned_down() {
    run(async {
        let world = TestWorld::new();
        let pin = Thumbprint::parse(THUMBPRINT).unwrap();
        let source = ManagedIdentitySource::ServiceFabric(ServiceFabric {
            endpoint: Url::parse("https://localhost:2377/token").unwrap(),
            secret: Secret::new("s3cret".to_owned()),
            thumbprint: pin,
        });
        let app = open(&world, source).await;
        world.http.script(of_source(), token("mi-1", 3600));
        assert_eq!(acquire(&world, ask(&world, &app)).await, "issued mi-1");
        let challenged =
            ResourceTokenRequest { claims_challenge: Some("{}".to_owned()), ..ask(&world, &app) };
        assert_eq!(acquire(&world, challenged).await, "issued mi-1");
        assert_eq!(world.machine.pins(), [Some(pin); 2]);
        let queries: Vec<_> = world
            .http
            .requests(&of_source())
            .iter()
            .map(|it| it.url.query().unwrap().to_owned())
            .collect();
        assert!(!queries[0].contains("token_sha256_to_refresh"), "{queries:?}");
        assert!(queries[1].contains("token_sha256_to_refresh="), "{queries:?}");
        assert!(queries[1].contains("xms_cc=CP1"), "{queries:?}");
    });
}

#[test]
fn what_msal_returns_is_in_the_answer_whatever_the_source_left_out() {
    run(async {
        let world = TestWorld::new();
        let source = ManagedIdentitySource::AppService(AppService {
            endpoint: Url::parse("http://127.0.0.1:41056/msi/token").unwrap(),
            secret: Secret::new("s3cret".to_owned()),
        });
        let app = open(&world, source).await;
        let expires_on = world.engine.now().plus_seconds(7200).seconds();
        world.http.script(
            of_source(),
            json(200, &json!({"access_token": "mi-1", "expires_on": expires_on})),
        );
        let request = ask(&world, &app);
        let authorized =
            decide_on_machine(&Policy::of_user(), &Asker::plain(&world.caller), request).unwrap();
        let user = world.user().await;
        let answer = world.engine.acquire_token_for_managed_identity(&user, &authorized).await;
        let Ok(valetkey_engine::TokenAnswer::Issued(issued)) = answer else { panic!("not issued") };
        assert_eq!(issued.fields["resource"], Value::from(RESOURCE));
        assert_eq!(issued.fields["refresh_in"], Value::from(3600));
        assert_eq!(issued.token_type, "Bearer");
    });
}
