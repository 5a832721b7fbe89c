//! Tokens that are worth nothing without a key: Entra's signed requests, and DPoP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use valetkey_engine::{
    AccountSelector, ClientApplication, ClientCredential, ClientType, Definition, Error, Extras,
    FlowRequest, FlowStatus, Grant, ProofRequest, Route, SilentRequest, TokenAnswer,
};
use valetkey_model::Secret;
use valetkey_oauth::{DpopRequest, HttpRequest, PopRequest};
use valetkey_testkit::http::{On, Reply, json, status};
use valetkey_testkit::proof::{OpenedProof, open_proof, token_digest};
use valetkey_testkit::world::{
    START, TestWorld, auth_code, define, run, settle, tell, tell_status, visit_of,
};

const CODE: &str = "authorization_code";

fn to_sign(nonce: &str) -> Option<PopRequest> {
    Some(PopRequest::new("GET", "https://api.example/mail?top=1", nonce).unwrap())
}

pub(crate) fn signing(
    world: &TestWorld,
    app: &Arc<ClientApplication>,
    nonce: &str,
) -> SilentRequest {
    let extras = Extras { auth_scheme: to_sign(nonce), ..Extras::default() };
    SilentRequest { extras, ..world.request(app, "a") }
}

pub(crate) fn open(answer: &TokenAnswer) -> OpenedProof {
    let TokenAnswer::Signed(signed, _) = answer else { panic!("not signed") };
    open_proof(signed.expose()).unwrap()
}

pub(crate) async fn dpop_app(world: &TestWorld, client_id: &str) -> Arc<ClientApplication> {
    let definition = define(client_id, &world.op.authority, true);
    world.open(Definition { dpop: true, ..definition }).await
}

pub(crate) fn world_with_dpop() -> TestWorld {
    let world = TestWorld::new();
    world.op.change_manners(|it| it.dpop_nonce = Some("nonce-1".to_owned()));
    world
}

fn proof_of(request: &HttpRequest) -> OpenedProof {
    open_proof(request.headers["dpop"].to_str().unwrap()).unwrap()
}

#[test]
fn each_caller_gets_a_request_of_its_own_signed_with_one_token() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let gate = world.http.hold(On::refresh());
        let callers: Vec<_> = (0..10)
            .map(|number| {
                let (world, app) = (world.clone(), Arc::clone(&app));
                tokio::spawn(async move {
                    world.ask(signing(&world, &app, &format!("n-{number}"))).await
                })
            })
            .collect();
        settle().await;
        gate.open();
        for (number, caller) in callers.into_iter().enumerate() {
            let proof = open(&caller.await.unwrap().unwrap());
            assert_eq!(proof.claims["nonce"], format!("n-{number}"));
            assert_eq!(proof.claims["at"], "at-2");
            assert_eq!((&proof.claims["m"], &proof.claims["p"]), (&"GET".into(), &"/mail".into()));
        }
        let sent = world.http.requests(&On::refresh());
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].form_value("token_type"), Some("pop"));
        assert!(sent[0].form_value("req_cnf").is_some());
    });
}

#[test]
fn a_bound_token_and_a_bearer_token_are_never_taken_for_each_other() {
    run(async {
        let mut world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let bound = || async { tell(&world.ask(signing(&world, &app, "n")).await) };
        assert_eq!(bound().await, "signed with issued at-2");
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        assert_eq!(bound().await, "signed with cached at-2");
        let first = open(&world.ask(signing(&world, &app, "n")).await.unwrap());
        world.clock.advance(1).await;
        let second = open(&world.ask(signing(&world, &app, "n")).await.unwrap());
        assert_ne!(first.claims["ts"], second.claims["ts"], "signed for each call");
        world.restart();
        let app = world.app("editor").await;
        let third = world.ask(signing(&world, &app, "n")).await.unwrap();
        assert_eq!(open(&third).thumbprint, first.thumbprint, "the key outlives the engine");
        assert_eq!(tell(&Ok(third)), "signed with cached at-2");
        assert_eq!(world.token(&app, "a").await, "cached at-1");
    });
}

#[test]
fn applications_and_users_have_keys_of_their_own() {
    run(async {
        let world = TestWorld::new();
        let mut keys = Vec::new();
        for (client_id, uid) in [("editor", 1000), ("reader", 1000), ("editor", 1001)] {
            let world = world.as_uid(uid);
            let app = world.app(client_id).await;
            world.sign_in(&app, "ada", "a").await;
            keys.push(open(&world.ask(signing(&world, &app, "n")).await.unwrap()).thumbprint);
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3);
    });
}

#[test]
fn a_sign_in_may_bring_the_signed_request_at_once() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let request = |nonce| FlowRequest {
            auth_scheme: to_sign(nonce),
            ..world.flow_request(&app, auth_code(), "a")
        };
        let (flow, _) = world.start(request("n")).await.unwrap();
        let redirect = world.entra.sign_in(&visit_of(&flow).auth_uri, "ada");
        let status = world.complete(&flow, redirect).await.unwrap();
        assert_eq!(tell_status(&status), "signed with issued at-1");
        let FlowStatus::Completed(answer) = flow.status(START) else { panic!("not completed") };
        assert_eq!(open(&answer).claims["nonce"], "n");
        let sent = world.http.requests(&On::grant(CODE));
        assert_eq!(sent[0].form_value("token_type"), Some("pop"));
        assert_eq!(world.token(&app, "a").await, "issued at-2", "no bearer token came of it");
    });
}

#[test]
fn a_provider_that_binds_nothing_is_not_asked_to() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        let password = Secret::new("ada".to_owned());
        let grant = Grant::Password { username: "ada@contoso.com".to_owned(), password };
        let mut request = world.grant_request(&app, grant, "a");
        request.extras.auth_scheme = to_sign("n");
        let expected = "this provider offers no signed requests; only Microsoft Entra ID does";
        assert_eq!(world.redeem(request).await, expected);
        assert!(world.http.requests(&On::grant("password")).is_empty());
    });
}

#[test]
fn a_token_of_another_type_than_was_asked_for_is_refused() {
    let answer = |token_type: &str| {
        json(
            200,
            &serde_json::json!({"access_token": "at", "token_type": token_type, "expires_in": 60}),
        )
    };
    for (is_signed, token_type, expected) in [
        (true, "Bearer", "answer has a token of another type than pop, which was asked for"),
        (false, "pop", "answer has a token of another type than Bearer, which was asked for"),
        (false, "DPoP", "answer has a token of another type than Bearer, which was asked for"),
        (true, "PoP", "signed with issued at"),
        (false, "bearer", "issued at"),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            world.sign_in(&app, "ada", "b").await;
            world.http.script_once(On::refresh(), answer(token_type));
            let request =
                if is_signed { signing(&world, &app, "n") } else { world.request(&app, "a") };
            assert_eq!(tell(&world.ask(request).await), expected, "{token_type}");
        });
    }
}

#[test]
fn dpop_binds_the_code_the_token_and_the_refresh_token_to_one_key() {
    run(async {
        let mut world = world_with_dpop();
        let app = dpop_app(&world, "editor").await;
        let (flow, _) = world.start(world.flow_request(&app, auth_code(), "a")).await.unwrap();
        let page = url::Url::parse(&visit_of(&flow).auth_uri).unwrap();
        let jkt = page.query_pairs().find(|(name, _)| name == "dpop_jkt").unwrap().1.into_owned();
        let redirect = world.op.sign_in(page.as_str(), "ada");
        let status = world.complete(&flow, redirect).await.unwrap();
        assert_eq!(tell_status(&status), "issued at-1");
        let FlowStatus::Completed(TokenAnswer::Issued(issued)) = status else { panic!() };
        assert_eq!(issued.token_type, "DPoP");
        let sent = world.http.requests(&On::grant(CODE));
        let nonces: Vec<_> =
            sent.iter().map(|sent| proof_of(sent).claims.get("nonce").cloned()).collect();
        assert_eq!(nonces, [None, Some("nonce-1".into())], "asked for the nonce once");
        assert!(sent.iter().all(|sent| proof_of(sent).thumbprint == jkt));
        assert_eq!(world.op.holder_of("at-1").unwrap().key.as_deref(), Some(jkt.as_str()));

        world.restart();
        let app = dpop_app(&world, "editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        world.clock.advance(3600).await;
        world.op.change_manners(|it| it.dpop_nonce = Some("nonce-2".to_owned()));
        assert_eq!(world.token(&app, "a").await, "issued at-2");
        let refresh = world.http.requests(&On::refresh());
        assert_eq!(proof_of(refresh.last().unwrap()).thumbprint, jkt);
        world.clock.advance(3600).await;
        assert_eq!(world.token(&app, "a").await, "issued at-3");
        assert_eq!(world.http.requests(&On::refresh()).len(), refresh.len() + 1, "nonce is kept");
        assert_eq!(world.op.stolen(), 0);
    });
}

#[test]
fn the_same_client_without_dpop_leaves_bound_tokens_alone() {
    run(async {
        let world = world_with_dpop();
        let bound = dpop_app(&world, "editor").await;
        world.sign_in(&bound, "ada", "a").await;
        let plain = world.op_app("editor").await;
        let refused = world.token(&plain, "a").await;
        assert_eq!(refused, "no refresh token for this account and application");
        assert!(world.http.requests(&On::refresh()).is_empty());
        // Nor does its sign-in put an unbound token in a bound one's place.
        assert_eq!(world.sign_in(&plain, "ada", "a").await, "issued at-2");
        world.clock.advance(3600).await;
        assert_eq!(world.token(&bound, "a").await, "issued at-3");
        assert_eq!(world.token(&plain, "a").await, "issued at-4");
        let keys = ["at-3", "at-4"].map(|it| world.op.holder_of(it).unwrap().key.is_some());
        assert_eq!(keys, [true, false]);
    });
}

#[test]
fn a_refresh_token_from_before_dpop_is_bound_by_its_next_use() {
    run(async {
        let world = world_with_dpop();
        world.sign_in(&world.op_app("editor").await, "ada", "a").await;
        let bound = dpop_app(&world, "editor").await;
        assert_eq!(world.token(&bound, "a").await, "issued at-2");
        world.clock.advance(3600).await;
        assert_eq!(world.token(&bound, "a").await, "issued at-3");
        assert!(world.op.holder_of("at-3").unwrap().key.is_some());
        assert_eq!((world.user().await.counts().refresh_tokens, world.op.stolen()), (1, 0));
    });
}

#[test]
fn a_provider_without_dpop_is_refused_before_it_is_asked_for_anything() {
    run(async {
        let world = TestWorld::new();
        let app = dpop_app(&world, "editor").await;
        let outcome = world.try_sign_in(&app, "ada", "a").await;
        assert_eq!(tell(&outcome), "this provider offers no DPoP with ES256");
        assert!(world.http.requests(&On::grant(CODE)).is_empty());
    });
}

#[test]
fn a_server_that_is_never_content_with_a_nonce_is_asked_twice() {
    run(async {
        let world = world_with_dpop();
        let app = dpop_app(&world, "editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        let before = world.http.requests(&On::refresh()).len();
        let never = Reply::refusal("use_dpop_nonce").header("dpop-nonce", "another");
        world.http.script(On::refresh(), never);
        for times in [2, 4] {
            assert_eq!(world.token(&app, "a").await, "provider answered use_dpop_nonce");
            assert_eq!(world.http.requests(&On::refresh()).len() - before, times);
        }
        world.http.forget_scripts();
        assert_eq!(world.token(&app, "a").await, "issued at-2", "it was not throttled");
    });
}

#[test]
fn a_confidential_client_may_use_dpop_for_its_own_token() {
    run(async {
        let world = world_with_dpop();
        let app = world
            .open(Definition {
                client_type: ClientType::Confidential,
                credential: Some(ClientCredential::Secret(Secret::new("s3cret".to_owned()))),
                dpop: true,
                ..define("service", &world.op.authority, true)
            })
            .await;
        let ask = || world.redeem(world.grant_request(&app, Grant::ClientCredentials, "r"));
        assert_eq!((ask().await.as_str(), ask().await.as_str()), ("issued at-1", "cached at-1"));
    });
}

#[test]
fn a_proof_is_signed_for_one_request_with_the_key_of_the_token() {
    run(async {
        let world = world_with_dpop();
        let app = dpop_app(&world, "editor").await;
        let prove = |app: &Arc<ClientApplication>, url: &str| {
            let request = DpopRequest::new("GET", url, Some("fresh")).unwrap();
            let access_token = Secret::new("at-1".to_owned());
            let wanted = ProofRequest { app: Arc::clone(app), request, access_token };
            let (world, authorized) = (world.clone(), world.authorize(wanted));
            async move { world.engine.sign_dpop_proof(&world.user().await, &authorized).await }
        };
        let url = "https://api.example/mail?top=1";
        assert!(matches!(prove(&app, url).await, Err(Error::NotBound(_))), "no key yet");
        world.sign_in(&app, "ada", "a").await;
        let proof = open_proof(prove(&app, url).await.unwrap().expose()).unwrap();
        assert_eq!(Some(&proof.thumbprint), world.op.holder_of("at-1").unwrap().key.as_ref());
        assert_eq!(proof.claims["htm"], "GET");
        assert_eq!(proof.claims["htu"], "https://api.example/mail");
        assert_eq!(proof.claims["ath"], token_digest("at-1"));
        assert_eq!(proof.claims["nonce"], "fresh");
        let patient = Route::new(Some(Duration::from_secs(31)), BTreeMap::new(), BTreeSet::new());
        let patient = Definition {
            dpop: true,
            route: Some(Arc::new(patient)),
            ..define("editor", &world.op.authority, true)
        };
        let patient = world.open(patient).await;
        for url in [
            "https://op.example/token",
            "https://op.example:443/token?x=1",
            "https://op.example/%74oken",
            "https://op.example//token",
            "https://op.example/token/",
            "https://op.example./Token;x",
        ] {
            for app in [&app, &patient] {
                let refused = prove(app, url).await.unwrap_err().to_string();
                assert_eq!(refused, "url: the daemon alone speaks to the token endpoint", "{url}");
            }
        }
        prove(&patient, "https://op.example/tokens").await.unwrap();
        let other = Route::new(Some(Duration::from_secs(32)), BTreeMap::new(), BTreeSet::new());
        let other = Definition {
            dpop: true,
            route: Some(Arc::new(other)),
            ..define("editor", &world.op.authority, true)
        };
        let other = world.open(other).await;
        world
            .http
            .script(On::url("https://op.example/.well-known/openid-configuration"), status(503));
        assert!(prove(&other, url).await.is_err(), "who knows what is the daemon's to ask for");
        let plain = world.op_app("editor").await;
        assert!(matches!(prove(&plain, url).await, Err(Error::NotBound(_))), "bearer tokens");
    });
}

#[test]
fn a_key_that_cannot_be_kept_binds_nothing() {
    run(async {
        let world = world_with_dpop();
        let app = dpop_app(&world, "editor").await;
        world.op_app("warm").await;
        world.store.fill_disk();
        let outcome = world.try_sign_in(&app, "ada", "a").await;
        assert!(matches!(outcome, Err(Error::Store(_))), "{}", tell(&outcome));
        assert!(world.http.requests(&On::grant(CODE)).is_empty());
        world.store.recover();
        world.sign_in(&app, "ada", "a").await;
        let request = SilentRequest {
            account: AccountSelector::Named("ada".to_owned()),
            ..world.request(&app, "a")
        };
        assert_eq!(tell(&world.ask(request).await), "cached at-1");
    });
}
