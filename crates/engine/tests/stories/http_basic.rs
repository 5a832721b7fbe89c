//! A client's secret as HTTP Basic (RFC 6749 section 2.3.1).

use std::sync::Arc;

use valetkey_engine::{ClientApplication, ClientCredential, ClientType, Definition, Grant};
use valetkey_model::Secret;
use valetkey_testkit::http::{On, Reply};
use valetkey_testkit::world::{TestWorld, define, run};

async fn ask_as(world: &TestWorld, client_id: &str, secret: &str, is_generic: bool) -> String {
    let provider = if is_generic { &world.op } else { &world.entra };
    let definition = define(client_id, &provider.authority, is_generic);
    let credential = Some(ClientCredential::Secret(Secret::new(secret.to_owned())));
    let client_type = ClientType::Confidential;
    let definition = Definition { client_type, credential, ..definition };
    let app = Arc::new(ClientApplication::open(definition));
    world.redeem(world.grant_request(&app, Grant::ClientCredentials, "r")).await
}

#[test]
fn a_secret_goes_by_http_basic_to_a_provider_that_takes_it_no_other_way() {
    for (is_generic, wants_basic, expected) in
        [(true, true, true), (true, false, false), (false, true, false)]
    {
        run(async {
            let world = TestWorld::new();
            let provider = if is_generic { &world.op } else { &world.entra };
            provider.change_manners(|manners| manners.wants_basic = wants_basic);
            assert_eq!(ask_as(&world, "service", "s3cret", is_generic).await, "issued at-1");
            let sent = world.http.requests(&On::grant("client_credentials")).pop().unwrap();
            let header = sent.headers.get("authorization").and_then(|it| it.to_str().ok());
            assert_eq!(header, expected.then_some("Basic c2VydmljZTpzM2NyZXQ="));
            assert_eq!(sent.form_value("client_secret"), (!expected).then_some("s3cret"));
        });
    }
}

#[test]
fn clients_that_name_themselves_by_a_header_are_throttled_apart() {
    run(async {
        let world = TestWorld::new();
        world.op.change_manners(|manners| manners.wants_basic = true);
        world.http.script(On::grant("client_credentials"), Reply::refusal("invalid_client"));
        for (client_id, secret, sent) in
            [("one", "a", 1), ("one", "a", 1), ("two", "a", 2), ("one", "b", 3)]
        {
            let told = ask_as(&world, client_id, secret, true).await;
            assert!(told.contains("invalid_client"), "{told}");
            assert_eq!(world.http.count(&On::grant("client_credentials")), sent);
        }
    });
}
