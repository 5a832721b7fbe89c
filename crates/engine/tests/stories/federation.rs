//! Users whose domain knows their passwords in Entra's place: whom the password is shown to.

use valetkey_engine::Grant;
use valetkey_model::Secret;
use valetkey_testkit::http::{On, json, status, text};
use valetkey_testkit::world::{TestWorld, run};

#[test]
fn a_federated_users_password_goes_to_the_users_domain_alone() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let realm = serde_json::json!({
            "account_type": "Federated",
            "federation_active_auth_url": "https://adfs.contoso.com/adfs/services/trust/13/usernamemixed",
        });
        world.http.script(On::url("/userrealm/"), json(200, &realm));
        let fault = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault>\
            <s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>ID3242</s:Text></s:Reason>\
            </s:Fault></s:Body></s:Envelope>";
        let refused = text(500, fault);
        world.http.script(On::url("usernamemixed"), refused);
        let grant = Grant::Password {
            username: "ada@contoso.com".to_owned(),
            password: Secret::new("pw".to_owned()),
        };
        let outcome = world.redeem(world.grant_request(&app, grant, "a")).await;
        assert!(outcome.contains("Sender"), "{outcome}");
        let sent = world.http.requests(&On::url("usernamemixed"));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].url.host_str(), Some("adfs.contoso.com"));
        assert_eq!(world.http.count(&On::grant("password")), 0);
        assert!(world.accounts(&app).await.is_empty());
    });
}

#[test]
fn a_users_domain_that_is_not_listed_is_not_spoken_to() {
    const MEX: &str = "federation_metadata_url";
    const ACTIVE: &str = "federation_active_auth_url";
    let provider = "login.microsoftonline.com";
    for (member, listed, expected) in [
        (ACTIVE, vec![provider], 0),
        (MEX, vec![provider], 0),
        (MEX, vec![provider, "adfs.contoso.com"], 0),
        (ACTIVE, vec![provider, "adfs.contoso.com:8443"], 1),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            let realm = serde_json::json!({
                "account_type": "Federated",
                (member): "https://adfs.contoso.com:8443/adfs/services/trust/13/usernamemixed",
            });
            world.http.script(On::url("/userrealm/"), json(200, &realm));
            world.http.script(On::url("adfs"), status(500));
            let grant = Grant::Password {
                username: "ada@contoso.com".to_owned(),
                password: Secret::new("pw".to_owned()),
            };
            let mut request = world.grant_request(&app, grant, "a");
            request.sites = Some(listed.iter().map(|site| (*site).to_owned()).collect());
            let outcome = world.redeem(request).await;
            assert_eq!(
                outcome.contains("does not speak to adfs.contoso.com:8443"),
                expected == 0,
                "{outcome}"
            );
            assert_eq!(world.http.count(&On::url("adfs")), expected, "{listed:?}");
        });
    }
}

#[test]
fn a_domain_that_had_no_realms_is_asked_for_the_next_users() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let ask = |username: &str| {
            let (username, password) = (username.to_owned(), Secret::new("ada".to_owned()));
            world.redeem(world.grant_request(&app, Grant::Password { username, password }, "a"))
        };
        world.http.script_once(On::url("/userrealm/"), status(404));
        assert_eq!(ask("ada@contoso.com").await, "issued at-1");
        let realm = serde_json::json!({
            "account_type": "Federated",
            "federation_active_auth_url": "https://adfs.contoso.com/adfs/services/trust/13/usernamemixed",
        });
        world.http.script(On::url("/userrealm/"), json(200, &realm));
        assert_ne!(ask("bob@contoso.com").await, "issued at-2");
        assert_eq!(world.http.count(&On::url("usernamemixed")), 1);
        assert_eq!(world.http.count(&On::grant("password")), 1);
    });
}
