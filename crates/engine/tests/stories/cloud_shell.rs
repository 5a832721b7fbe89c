//! Azure Cloud Shell: its user is an account, and whoever wants another token asks the shell.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;
use valetkey_engine::{
    AccountSelector, ClientApplication, Definition, Extras, Grant, GrantRequest, SilentRequest,
    TokenAnswer, TokenSource,
};
use valetkey_oauth::{ExtraFields, PopRequest};
use valetkey_policy::Policy;
use valetkey_testkit::http::{On, Reply, json, status};
use valetkey_testkit::world::{TestWorld, define, run, settle, tell};

const SCOPE: &str = "https://management.azure.com/.default";
const ADA: &str = "ada.home";

fn of_shell() -> On {
    On::url("localhost:50342")
}

/// A token that can be read: whose it is stands in it.
fn token_of(person: &str, number: u32) -> String {
    let payload = json!({"oid": person, "tid": "home", "iss": "i", "sub": "s", "exp": 2, "iat": 1,
                         "unique_name": format!("{person}@contoso.com"), "n": number});
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(payload.to_string()))
}

fn gives(token: &str) -> Reply {
    json(200, &json!({"access_token": token, "expires_in": "3600", "token_type": "Bearer"}))
}

fn ask_shell(world: &TestWorld, app: &Arc<ClientApplication>) -> GrantRequest {
    world.grant_request(app, Grant::CloudShell, SCOPE)
}

async fn open(world: &TestWorld) -> Arc<ClientApplication> {
    open_at(world, "http://localhost:50342/oauth2/token").await
}

async fn open_at(world: &TestWorld, endpoint: &str) -> Arc<ClientApplication> {
    let definition = define("cli", &world.entra.authority, false);
    let cloud_shell = Some(Url::parse(endpoint).unwrap());
    world.open(Definition { cloud_shell, ..definition }).await
}

/// An application with the shell's user, whose token is the first.
async fn signed_in(world: &TestWorld) -> Arc<ClientApplication> {
    let app = open(world).await;
    world.http.script_once(of_shell(), gives(&token_of("ada", 1)));
    let told = world.redeem(ask_shell(world, &app)).await;
    assert_eq!(told, format!("issued {}", token_of("ada", 1)));
    app
}

#[test]
fn the_shells_user_is_an_account_and_the_shell_is_asked_again_when_the_token_is_old() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        let sent = world.http.requests(&of_shell()).pop().unwrap();
        assert_eq!(sent.form_value("resource"), Some("https://management.azure.com"));
        assert_eq!(sent.headers["metadata"], "true");
        let user = world.user().await;
        let request = valetkey_engine::AccountsRequest {
            app: Arc::clone(&app),
            account: None,
            correlation_id: world.engine.new_correlation_id(),
        };
        let accounts = world.engine.accounts(&user, &world.authorize(request)).await;
        let [account] = &accounts[..] else { panic!("{} accounts", accounts.len()) };
        assert_eq!(account.home_account_id.as_str(), ADA);
        assert_eq!(
            (&*account.username, &*account.authority_type, account.account_source.as_deref()),
            ("ada@contoso.com", "CLOUDSHELL", None)
        );
        assert_eq!(world.token(&app, SCOPE).await, format!("cached {}", token_of("ada", 1)));
        world.clock.advance(3400).await;
        world.http.script(of_shell(), gives(&token_of("ada", 2)));
        assert_eq!(world.token(&app, SCOPE).await, format!("issued {}", token_of("ada", 2)));
        assert_eq!(world.token(&app, SCOPE).await, format!("cached {}", token_of("ada", 2)));
        assert_eq!(world.http.count(&of_shell()), 2);
    });
}

#[test]
fn an_issued_token_says_what_msal_says() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world).await;
        world.http.script(of_shell(), gives(&token_of("ada", 1)));
        let user = world.user().await;
        let request = world.authorize(ask_shell(&world, &app));
        let answer = world.engine.acquire_token_by_grant(&user, &request).await;
        let Ok(TokenAnswer::Issued(issued)) = answer else { panic!("{}", tell(&answer)) };
        assert_eq!((issued.source, issued.scopes.target()), (TokenSource::CloudShell, SCOPE));
        let claims = issued.id_token_claims.clone().unwrap();
        assert_eq!((&claims["aud"], &claims["tid"]), (&json!("cli"), &json!("home")));
        assert!(issued.id_token.is_none());
        let told: Vec<_> = issued.fields.keys().collect();
        assert_eq!(told, ["client_info"]);
    });
}

#[test]
fn many_callers_ask_the_shell_once() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        world.clock.advance(3600).await;
        world.http.script(of_shell(), gives(&token_of("ada", 2)));
        let gate = world.http.hold(of_shell());
        let callers: Vec<_> =
            (0..20).map(|_| world.spawn_ask(world.request(&app, SCOPE))).collect();
        settle().await;
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), format!("issued {}", token_of("ada", 2)));
        }
        assert_eq!(world.http.count(&of_shell()), 2);
    });
}

#[test]
fn a_token_of_somebody_else_is_nobodys() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        world.http.script_once(of_shell(), gives(&token_of("eve", 1)));
        let forced = SilentRequest { force_refresh: true, ..world.request(&app, SCOPE) };
        let told = tell(&world.ask(forced).await);
        assert!(told.contains("not of the person"), "{told}");
        assert_eq!(world.token(&app, SCOPE).await, format!("cached {}", token_of("ada", 1)));
    });
}

#[test]
fn an_ssh_certificate_is_found_again_for_its_key_and_makes_no_account() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        let reply =
            json!({"access_token": "a certificate", "expires_in": 3600, "token_type": "ssh-cert"});
        world.http.script(of_shell(), json(200, &reply));
        let fields = [("token_type", "ssh-cert"), ("req_cnf", "jwk"), ("key_id", "k")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields = ExtraFields::new(fields).unwrap();
        let request = || SilentRequest {
            account: AccountSelector::Named(ADA.to_owned()),
            extras: Extras { fields: fields.clone(), ..Extras::default() },
            ..world.request(&app, SCOPE)
        };
        assert_eq!(tell(&world.ask(request()).await), "issued a certificate");
        assert_eq!(tell(&world.ask(request()).await), "cached a certificate");
        let sent = world.http.requests(&of_shell()).pop().unwrap();
        assert_eq!(sent.form_value("req_cnf"), Some("jwk"));
        assert_eq!(world.accounts(&app).await, ["ada@contoso.com"]);
    });
}

#[test]
fn what_the_shell_refuses_is_told_and_a_busy_one_is_left_alone() {
    run(async {
        let world = TestWorld::new();
        let app = open(&world).await;
        let refusal = json!({"error": {"code": "AudienceNotSupported", "message": "no"}});
        world.http.script_once(of_shell(), json(400, &refusal));
        let told = world.redeem(ask_shell(&world, &app)).await;
        assert!(told.contains("AudienceNotSupported"), "{told}");
        assert!(world.accounts(&app).await.is_empty());
        let other = || GrantRequest {
            scopes: valetkey_model::ScopeSet::from_target("https://graph.microsoft.com/.default"),
            ..ask_shell(&world, &app)
        };
        world.http.script(of_shell(), status(429).header("Retry-After", "60"));
        for _ in 0..2 {
            let told = world.redeem(other()).await;
            assert_eq!(told, "provider is unavailable (status 429)");
        }
        assert_eq!(world.http.count(&of_shell()), 2);
    });
}

#[test]
fn a_signed_request_is_not_for_the_shell() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        let scheme = PopRequest::new("GET", "https://api.example/x", "n").unwrap();
        let extras = Extras { auth_scheme: Some(scheme), ..Extras::default() };
        let request = SilentRequest { extras, ..world.request(&app, SCOPE) };
        let told = tell(&world.ask(request).await);
        assert!(told.contains("bound to a key"), "{told}");
        assert_eq!(world.http.count(&of_shell()), 1);
    });
}

#[test]
fn an_account_that_was_signed_out_meanwhile_stays_signed_out() {
    run(async {
        let world = TestWorld::new();
        let app = signed_in(&world).await;
        world.http.script(of_shell(), gives(&token_of("ada", 2)));
        let gate = world.http.hold(of_shell());
        let forced = SilentRequest { force_refresh: true, ..world.request(&app, SCOPE) };
        let asking = world.spawn_ask(forced);
        settle().await;
        world.sign_out(&app, "ada").await.unwrap();
        gate.open();
        assert_eq!(asking.await.unwrap(), "nobody is signed in");
        assert!(world.accounts(&app).await.is_empty());
    });
}

#[test]
fn an_endpoint_elsewhere_is_not_spoken_to() {
    run(async {
        let world = TestWorld::new();
        for (endpoint, expected) in [
            ("http://localhost:4711/oauth2/token", true),
            ("http://169.254.1.1/oauth2/token", true),
            ("http://shell.example/oauth2/token", false),
            ("http://10.0.0.1/oauth2/token", false),
        ] {
            let app = open_at(&world, endpoint).await;
            let policy = Policy::of_user();
            assert_eq!(world.decide(&policy, app.definition().clone()).is_ok(), expected);
            assert_eq!(world.decide(&policy, ask_shell(&world, &app)).is_ok(), expected);
            assert_eq!(world.decide(&policy, world.request(&app, SCOPE)).is_ok(), expected);
        }
    });
}
