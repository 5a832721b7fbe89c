//! What programs name their keys, beside those of the broker's.

use std::sync::Arc;

use serde_json::{Value, json};
use valetkey_cache::TokenCache;
use valetkey_engine::{ClientApplication, Extras, ImportCacheRequest, ProofRequest, SilentRequest};
use valetkey_model::{Confinement, Program, Secret, Unidentified};
use valetkey_oauth::{DpopRequest, ExtraFields};
use valetkey_policy::{Asker, Policy, decide_on_cache};
use valetkey_testkit::proof::open_proof;
use valetkey_testkit::world::{TestWorld, run, tell};

use crate::possession::{dpop_app, open, signing, world_with_dpop};

#[test]
fn a_key_of_the_programs_own_keeps_its_tokens_apart() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let with = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let fields = ExtraFields::new(fields).unwrap();
            let extras = Extras { fields, ..Extras::default() };
            world.ask(SilentRequest { extras, ..world.request(&app, "a") })
        };
        let ssh = |key| [("token_type", "ssh-cert"), ("req_cnf", "{}"), ("key_id", key)];
        assert_eq!(tell(&with(&ssh("one")).await), "issued at-2");
        assert_eq!(tell(&with(&ssh("two")).await), "issued at-3");
        assert_eq!(tell(&with(&ssh("one")).await), "cached at-2");
        let unnamed = [("token_type", "pop"), ("req_cnf", "eyJ9")];
        assert_eq!(tell(&with(&unnamed).await), "issued at-4");
        assert_eq!(world.token(&app, "a").await, "cached at-1");
    });
}

/// What every server and every program that is shown a proof knows of a key.
async fn thumbprint(world: &TestWorld, app: &Arc<ClientApplication>) -> String {
    let request = DpopRequest::new("GET", "https://api.example/", None).unwrap();
    let access_token = Secret::new("any".to_owned());
    let wanted = world.authorize(ProofRequest { app: Arc::clone(app), request, access_token });
    let proof = world.engine.sign_dpop_proof(&world.user().await, &wanted).await.unwrap();
    open_proof(proof.expose()).unwrap().thumbprint
}

fn naming(
    world: &TestWorld,
    app: &Arc<ClientApplication>,
    key_id: &str,
    scope: &str,
) -> SilentRequest {
    let fields = ExtraFields::new([("key_id".to_owned(), key_id.to_owned())]).unwrap();
    let extras = Extras { fields, ..Extras::default() };
    SilentRequest { extras, ..world.request(app, scope) }
}

#[test]
fn a_name_that_a_program_gives_is_never_that_of_a_key_of_the_brokers() {
    run(async {
        let world = world_with_dpop();
        let plain = world.op_app("editor").await;
        world.sign_in(&plain, "ada", "a").await;
        let bound = dpop_app(&world, "editor").await;
        assert_eq!(world.token(&bound, "a").await, "issued at-2");
        let jkt = thumbprint(&world, &bound).await;
        world.sign_in(&plain, "ada", "a").await;
        let ask = |scope| world.ask(naming(&world, &plain, &jkt, scope));
        assert_eq!(tell(&ask("a").await), "issued at-4", "not the bound one");
        assert_eq!(tell(&ask("b").await), "issued at-5");
        assert_eq!(world.token(&bound, "b").await, "issued at-6", "not the unbound one");
        assert!(world.op.holder_of("at-6").unwrap().key.is_some());
    });
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let kid = open(&world.ask(signing(&world, &app, "n")).await.unwrap()).thumbprint;
        assert_eq!(tell(&world.ask(naming(&world, &app, &kid, "a")).await), "issued at-3");
    });
}

#[test]
fn a_key_of_no_name_is_none() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        assert_eq!(tell(&world.ask(naming(&world, &app, "", "a")).await), "cached at-1");
    });
}

/// Of MSAL's JSON; `members` beside those that each access token has.
async fn import_access_token(world: &TestWorld, members: Value) {
    let mut token = json!({
        "secret": "imported", "environment": "op.example", "home_account_id": "ada",
        "client_id": "editor", "target": "x", "expires_on": "99999999999",
    });
    token.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let sections = json!({"AccessToken": {"it": token}});
    let reading = TokenCache::read_msal_sections(sections.as_object().unwrap().clone()).unwrap();
    let request = ImportCacheRequest { entries: reading.entries };
    let program = Program::unidentified(None, Unidentified::Hidden, Confinement::Free);
    let asker = Asker::new(&world.caller, program, Vec::new());
    let authorized = decide_on_cache(&Policy::of_user(), &asker, request).unwrap();
    let user = world.user().await;
    world.engine.import_cache(&user, authorized).await.unwrap();
}

#[test]
fn an_imported_token_is_not_taken_for_one_that_is_bound_to_a_key_of_the_brokers() {
    for members in [
        json!({"kid": ""}),
        json!({"keyId": ""}),
        json!({"kept_key_id": "", "token_type": "DPoP"}),
        json!({"token_type": "DPoP"}),
    ] {
        run(async {
            let world = world_with_dpop();
            world.sign_in(&world.op_app("editor").await, "ada", "a").await;
            import_access_token(&world, members.clone()).await;
            let bound = dpop_app(&world, "editor").await;
            assert_eq!(world.token(&bound, "x").await, "issued at-2", "{members}");
        });
    }
}
