//! Form fields of an application's own (MSAL's `data`) in sign-ins: they go with the request that asks for the token, and
//! are a part of its place in the cache.

use std::sync::Arc;
use std::time::Duration;

use valetkey_engine::{
    ClientApplication, Completion, Extras, Flow, FlowKind, FlowRequest, Invitation, SilentRequest,
};
use valetkey_oauth::{ExtraFields, HttpRequest};
use valetkey_testkit::http::On;
use valetkey_testkit::world::{TestWorld, auth_code, run, tell, tell_status, visit_of};

fn fields(pairs: &[(&str, &str)]) -> ExtraFields {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ExtraFields::new(pairs).unwrap()
}

fn session() -> ExtraFields {
    fields(&[("client_session", "s")])
}

fn poll() -> On {
    On::grant("urn:ietf:params:oauth:grant-type:device_code")
}

async fn start(
    world: &TestWorld,
    app: &Arc<ClientApplication>,
    kind: FlowKind,
    fields: ExtraFields,
) -> Arc<Flow> {
    world.start(FlowRequest { fields, ..world.flow_request(app, kind, "a") }).await.unwrap().0
}

fn user_code_of(flow: &Flow) -> &str {
    let Invitation::Device(told) = &flow.invitation else { panic!("a device flow") };
    told["user_code"].as_str().unwrap()
}

async fn complete_device(world: &TestWorld, flow: &Arc<Flow>) -> String {
    world.entra.approve_device(user_code_of(flow), "ada");
    let user = world.user().await;
    tell_status(&world.engine.wait_for_flow(&user, flow, Duration::ZERO).await)
}

async fn add(world: &TestWorld, flow: &Arc<Flow>, fields: ExtraFields) -> Result<(), String> {
    let completion = Completion { fields, ..Completion::default() };
    let outcome = world.complete_with(flow, completion).await;
    outcome.map(drop).map_err(|error| error.to_string())
}

async fn silent(world: &TestWorld, app: &Arc<ClientApplication>, fields: ExtraFields) -> String {
    let extras = Extras { fields, ..Extras::default() };
    tell(&world.ask(SilentRequest { extras, ..world.request(app, "a") }).await)
}

fn sent(world: &TestWorld, on: &On) -> HttpRequest {
    world.http.requests(on).pop().unwrap()
}

#[test]
fn a_device_flows_fields_go_with_each_poll_whenever_they_came() {
    for is_late in [false, true] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            let at_start = if is_late { ExtraFields::default() } else { session() };
            let flow = start(&world, &app, FlowKind::DeviceCode, at_start).await;
            if is_late {
                add(&world, &flow, session()).await.unwrap();
            }
            assert_eq!(complete_device(&world, &flow).await, "issued at-1");
            assert_eq!(sent(&world, &poll()).form_value("client_session"), Some("s"));
            assert_eq!(silent(&world, &app, session()).await, "cached at-1");
            assert_eq!(silent(&world, &app, ExtraFields::default()).await, "issued at-2");
        });
    }
}

#[test]
fn nobody_adds_fields_to_what_others_wait_for() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let start = |fields| start(&world, &app, FlowKind::DeviceCode, fields);
        let first = start(ExtraFields::default()).await;
        let joined = start(ExtraFields::default()).await;
        assert!(add(&world, &joined, session()).await.unwrap_err().contains("asked already"));
        // Whoever asks for something else takes part in something else, and so does who comes after a change.
        let other = start(fields(&[("client_session", "t")])).await;
        assert_ne!(user_code_of(&first), user_code_of(&other));
        let changed = start(fields(&[("client_session", "u")])).await;
        add(&world, &changed, session()).await.unwrap();
        assert!(add(&world, &changed, session()).await.unwrap_err().contains("asked already"));
        let after = start(fields(&[("client_session", "u")])).await;
        assert_ne!(user_code_of(&changed), user_code_of(&after));
        complete_device(&world, &other).await;
        assert!(add(&world, &other, session()).await.unwrap_err().contains("asked already"));
    });
}

#[test]
fn a_codes_fields_come_with_its_redirect() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let flow = start(&world, &app, auth_code(), ExtraFields::default()).await;
        let parameters = world.entra.sign_in(&visit_of(&flow).auth_uri, "ada");
        let named = fields(&[("token_type", "ssh-cert"), ("req_cnf", "jwk"), ("key_id", "k")]);
        let completion = Completion { parameters, fields: named.clone(), ..Completion::default() };
        let status = world.complete_with(&flow, completion).await.unwrap();
        assert_eq!(tell_status(&status), "issued at-1");
        let redeemed = sent(&world, &On::grant("authorization_code"));
        assert_eq!(redeemed.form_value("key_id"), Some("k"));
        assert_eq!(silent(&world, &app, named).await, "cached at-1");
        assert_eq!(silent(&world, &app, ExtraFields::default()).await, "issued at-2");
    });
}
