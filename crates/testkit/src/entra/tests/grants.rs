//! The grants without a page: an application's own, passwords, on behalf of, and agents' users.

use serde_json::{Value, json};
use valetkey_model::{Secret, UnixTime};
use valetkey_oauth::{PopRequest, ProofKey};
use zeroize::Zeroizing;

use super::http::{ALICE, Answer, Fields, decode_claims, encode, form, get, post, send, start};
use crate::entra::{CONTOSO, Client, EXCHANGE_AUDIENCE, EntraEmulator, PASSWORD, Scenario};

const API: &str = "a91a91a9-aaaa-4bbb-8ccc-ddddeeee0002";
const SECRET: &str = "s3cret";
const OBO: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN: &str = "/contoso.com/oauth2/v2.0/token";

async fn start_with_api() -> EntraEmulator {
    start(|options| {
        options.clients = vec![Client {
            id: API.into(),
            secret: Some(SECRET.into()),
            roles: vec!["Tasks.Run".into()],
            identifier_uris: vec!["api://tasks".into()],
            ..Client::default()
        }];
    })
    .await
}

/// A request of the API, whose changed fields with an empty value are left out.
async fn ask(emulator: &EntraEmulator, grant_type: &str, changes: Fields<'_>) -> Answer {
    let mut fields =
        vec![("client_id", API), ("client_secret", SECRET), ("grant_type", grant_type)];
    fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    post(emulator, TOKEN, &fields).await
}

/// `200`, or the error and its number.
fn outcome(answer: &Answer) -> String {
    if answer.status == 200 {
        return "200".to_owned();
    }
    let body = answer.json();
    format!("{} {}", body["error"].as_str().unwrap_or(""), body["error_codes"][0])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[tokio::test]
async fn an_application_gets_a_token_for_itself() {
    let emulator = start_with_api().await;
    let fields = [
        ("scope", "https://vault.azure.net/.default"),
        ("fmi_path", "agents/one"),
        ("claims", r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
    ];
    let answer = ask(&emulator, "client_credentials", &fields).await.json();
    let members: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "ext_expires_in", "token_type"]);
    let claims = decode_claims(&answer["access_token"]);
    for (name, expected) in [
        ("aud", json!("https://vault.azure.net")),
        ("azp", json!(API)),
        ("azpacr", json!("1")),
        ("idtyp", json!("app")),
        ("tid", json!(CONTOSO)),
        ("roles", json!(["Tasks.Run"])),
        ("fmi_path", json!("agents/one")),
        ("xms_cc", json!(["CP1"])),
        ("scp", Value::Null),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    let live = emulator.control().verify_access_token(text(&answer["access_token"]));
    assert_eq!(live, Some(claims));
}

#[tokio::test]
async fn an_application_names_one_resource_and_its_tenant() {
    let emulator = start_with_api().await;
    for (scope, expected) in [
        ("User.Read", "invalid_scope 1002012"),
        ("/.default", "invalid_scope 1002012"),
        ("api://a/.default api://b/.default", "invalid_scope 1002012"),
        ("api://tasks/.default", "200"),
    ] {
        let answer = ask(&emulator, "client_credentials", &[("scope", scope)]).await;
        assert_eq!(outcome(&answer), expected, "{scope}");
    }
    let without_scope = ask(&emulator, "client_credentials", &[]).await;
    assert_eq!(outcome(&without_scope), "invalid_request 900144");
    let public = ask(&emulator, "client_credentials", &[("client_id", "p"), ("client_secret", "")]);
    assert_eq!(outcome(&public.await), "invalid_client 7000218");
    let fields = [
        ("client_id", API),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", "api://tasks/.default"),
    ];
    let shared = post(&emulator, "/common/oauth2/v2.0/token", &fields).await;
    assert_eq!(outcome(&shared), "invalid_request 50059");
}

#[tokio::test]
async fn a_regional_host_is_seen_in_the_log_and_named_by_its_documents() {
    let emulator = start_with_api().await;
    let host = emulator.base_url().replace("http://127.0.0.1", "westus2.localhost");
    let request = http::Request::get("/contoso.com/v2.0/.well-known/openid-configuration")
        .header("host", &host);
    let document = send(&emulator, request.body(String::new()).expect("a request")).await.json();
    let endpoint = format!("http://{host}/{CONTOSO}/oauth2/v2.0/token");
    assert_eq!(document["token_endpoint"], endpoint);
    assert_eq!(document["issuer"], format!("{}/v2.0", emulator.authority(CONTOSO)));
    let mut request = form(TOKEN, &[]);
    request.headers_mut().insert("host", host.parse().expect("a header"));
    send(&emulator, request).await;
    get(&emulator, "/contoso.com/v2.0/.well-known/openid-configuration").await;
    let regions: Vec<Option<String>> =
        emulator.control().requests().into_iter().map(|request| request.region).collect();
    assert_eq!(regions, [Some("westus2".to_owned()), Some("westus2".to_owned()), None]);
}

#[tokio::test]
async fn a_password_is_checked() {
    let emulator = start_with_api().await;
    let user = |name: &str, scenario: Option<Scenario>| {
        emulator.control().set_user_scenario(name, scenario);
    };
    for (name, password, scenario, expected) in [
        (ALICE, PASSWORD, None, "200"),
        (ALICE, "wrong", None, "invalid_grant 50126"),
        ("nobody@contoso.com", PASSWORD, None, "invalid_grant 50034"),
        ("", PASSWORD, None, "invalid_request 900144"),
        (ALICE, PASSWORD, Some(Scenario::InteractionRequired), "interaction_required 50076"),
        (ALICE, "wrong", Some(Scenario::InteractionRequired), "invalid_grant 50126"),
        (ALICE, PASSWORD, Some(Scenario::UserPasswordExpired), "invalid_grant 50055"),
    ] {
        user(ALICE, scenario);
        let scope = "User.Read openid profile offline_access";
        let fields = [("username", name), ("password", password), ("scope", scope)];
        let answer = ask(&emulator, "password", &fields).await;
        assert_eq!(outcome(&answer), expected, "{name} {password}");
        if expected == "200" {
            let tokens = answer.json();
            assert!(tokens["refresh_token"].is_string());
            assert_eq!(decode_claims(&tokens["id_token"])["preferred_username"], ALICE);
        }
    }
    let fields = [
        ("client_id", API),
        ("client_secret", SECRET),
        ("grant_type", "password"),
        ("username", ALICE),
        ("password", PASSWORD),
    ];
    let shared = post(&emulator, "/common/oauth2/v2.0/token", &fields).await;
    assert_eq!(outcome(&shared), "invalid_request 9001023");
    user(ALICE, None);
    let at_adfs = post(&emulator, "/adfs/oauth2/token/", &fields).await;
    assert_eq!(outcome(&at_adfs), "200");
}

/// A token of Alice's for this audience.
async fn get_user_token(emulator: &EntraEmulator, scope: &str) -> String {
    let fields = [("username", ALICE), ("password", PASSWORD), ("scope", scope)];
    let answer = ask(emulator, "password", &fields).await.json();
    text(&answer["access_token"]).to_owned()
}

async fn exchange(emulator: &EntraEmulator, assertion: &str, changes: Fields<'_>) -> Answer {
    let mut fields = vec![
        ("assertion", assertion),
        ("requested_token_use", "on_behalf_of"),
        ("scope", "https://graph.microsoft.com/User.Read offline_access openid profile"),
    ];
    fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    fields.extend_from_slice(changes);
    ask(emulator, OBO, &fields).await
}

#[tokio::test]
async fn an_api_exchanges_the_token_it_was_called_with() {
    let emulator = start_with_api().await;
    for scope in ["api://tasks/read", &format!("api://{API}/read"), &format!("{API}/.default")] {
        let incoming = get_user_token(&emulator, scope).await;
        let answer = exchange(&emulator, &incoming, &[]).await;
        assert_eq!(outcome(&answer), "200", "{scope}");
        let tokens = answer.json();
        let claims = decode_claims(&tokens["access_token"]);
        assert_eq!(claims["aud"], "https://graph.microsoft.com");
        assert_eq!(claims["azp"], API);
        let refresh = [("refresh_token", text(&tokens["refresh_token"]))];
        assert_eq!(outcome(&ask(&emulator, "refresh_token", &refresh).await), "200");
        let unproven = [refresh[0], ("client_secret", "")];
        let refused = ask(&emulator, "refresh_token", &unproven).await;
        assert_eq!(outcome(&refused), "invalid_client 7000218");
    }
}

#[tokio::test]
async fn only_a_live_user_s_token_for_this_api_can_be_exchanged() {
    let emulator = start_with_api().await;
    let incoming = get_user_token(&emulator, "api://tasks/read").await;
    let foreign = get_user_token(&emulator, "User.Read").await;
    let own = [("scope", "api://tasks/.default")];
    let own = ask(&emulator, "client_credentials", &own).await.json()["access_token"].clone();
    let forged = incoming.replacen('.', ".e30", 1);
    for (assertion, changes, expected) in [
        (foreign.as_str(), &[][..], "invalid_grant 500131"),
        (&forged, &[], "invalid_grant 50013"),
        (text(&own), &[], "invalid_request 7000114"),
        (&incoming, &[("requested_token_use", "")], "invalid_request 900144"),
        (&incoming, &[("client_secret", "wrong")], "invalid_client 7000215"),
        (&incoming, &[], "200"),
    ] {
        assert_eq!(outcome(&exchange(&emulator, assertion, changes).await), expected);
    }
    emulator.control().advance_clock(3_600);
    assert_eq!(outcome(&exchange(&emulator, &incoming, &[]).await), "invalid_grant 500133");
}

#[tokio::test]
async fn an_exchange_meets_the_user_s_trouble_with_claims_to_pass_on() {
    let emulator = start_with_api().await;
    let incoming = get_user_token(&emulator, "api://tasks/read").await;
    for (scenario, expected, has_claims) in [
        (Scenario::InteractionRequired, "interaction_required 50076", true),
        (Scenario::EnrollmentRequired, "interaction_required 50079", true),
        (Scenario::ConsentRequired, "invalid_grant 65001", false),
    ] {
        emulator.control().set_user_scenario(ALICE, Some(scenario));
        let answer = exchange(&emulator, &incoming, &[]).await;
        assert_eq!(outcome(&answer), expected);
        assert_eq!(answer.json()["claims"].is_string(), has_claims, "{expected}");
    }
    // The token of a sign-in that met the challenge is good for the exchange.
    emulator.control().set_user_scenario(ALICE, Some(Scenario::InteractionRequired));
    let claims = exchange(&emulator, &incoming, &[]).await.json()["claims"].clone();
    let changes = [("claims", text(&claims)), ("scope", "api://tasks/read")];
    let stepped_up = super::http::sign_in(&emulator, ALICE, &changes).await;
    let answer = exchange(&emulator, text(&stepped_up["access_token"]), &[]).await;
    assert_eq!(outcome(&answer), "200");
}

#[tokio::test]
async fn an_agent_acts_as_its_user() {
    let agent = "a9e07a9e-aaaa-4bbb-8ccc-ddddeeee0003";
    let emulator = start_with_api().await;
    emulator.control().register_client(Client {
        id: agent.into(),
        agent_of: Some(API.into()),
        ..Client::default()
    });
    let exchange_scope = format!("{EXCHANGE_AUDIENCE}/.default");
    let get_token = async |client: Fields<'_>, fields: Fields<'_>| {
        let fields: Vec<(&str, &str)> = client.iter().chain(fields).copied().collect();
        post(&emulator, TOKEN, &fields).await
    };
    let as_blueprint = [("client_id", API), ("client_secret", SECRET)];
    let for_agent = |path| {
        [
            ("grant_type", "client_credentials"),
            ("scope", exchange_scope.as_str()),
            ("fmi_path", path),
        ]
    };
    let vouched = get_token(&as_blueprint, &for_agent(agent)).await.json()["access_token"].clone();
    let as_agent = |assertion| {
        let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        [("client_id", agent), ("client_assertion_type", jwt), ("client_assertion", assertion)]
    };
    let credential =
        get_token(&as_agent(text(&vouched)), &for_agent("")[..2]).await.json()["access_token"]
            .clone();
    let alice = emulator.control().users().swap_remove(0);
    for (credential, name, value, expected) in [
        (text(&credential), "user_id", alice.object_id.as_str(), "200"),
        (text(&credential), "username", ALICE, "200"),
        (text(&credential), "username", "nobody@contoso.com", "invalid_grant 50034"),
        (text(&credential), "username", "", "invalid_request 900144"),
        (text(&vouched), "username", ALICE, "invalid_grant 500131"),
        ("nonsense", "username", ALICE, "invalid_grant 50013"),
    ] {
        let fields = [
            ("grant_type", "user_fic"),
            ("user_federated_identity_credential", credential),
            ("scope", "User.Read offline_access openid profile"),
            ("client_info", "1"),
            (name, value),
        ];
        let answer = get_token(&as_agent(text(&vouched)), &fields).await;
        assert_eq!(outcome(&answer), expected, "{name}={value}");
    }
    // A token for another agent does not vouch for this one.
    let other = get_token(&as_blueprint, &for_agent("other")).await.json()["access_token"].clone();
    let refused = get_token(&as_agent(text(&other)), &for_agent("")[..2]).await;
    assert_eq!(outcome(&refused), "invalid_client 700211");
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_that_was_named() {
    let emulator = start_with_api().await;
    let key = encode(json!({"kid": "a-thumbprint"}).to_string());
    let scope = ("scope", "https://graph.microsoft.com/.default");
    let user = [("username", ALICE), ("password", PASSWORD)];
    for (grant_type, who) in [("client_credentials", &[][..]), ("password", &user)] {
        for (token_type, key, expected) in [
            ("pop", key.as_str(), "200"),
            ("pop", "nonsense", "invalid_request 90100"),
            ("pop", "", "invalid_request 900144"),
            ("unheard-of", "", "invalid_request 90100"),
        ] {
            let bound = [scope, ("token_type", token_type), ("req_cnf", key)];
            let fields: Vec<(&str, &str)> = who.iter().chain(&bound).copied().collect();
            let answer = ask(&emulator, grant_type, &fields).await;
            assert_eq!(outcome(&answer), expected, "{grant_type} {token_type}");
            if expected == "200" {
                let tokens = answer.json();
                assert_eq!(tokens["token_type"], "pop");
                let claims = decode_claims(&tokens["access_token"]);
                assert_eq!(claims["cnf"], json!({"kid": "a-thumbprint"}));
            }
        }
    }
}

#[tokio::test]
async fn a_signed_request_is_taken_with_the_key_of_its_token_alone() {
    let emulator = start_with_api().await;
    let key = |byte| ProofKey::from_random(&Zeroizing::new([byte; 32])).unwrap();
    let (own, other) = (key(1), key(2));
    let confirmation = own.req_cnf();
    let fields = [
        ("username", ALICE),
        ("password", PASSWORD),
        ("scope", "https://graph.microsoft.com/.default"),
        ("token_type", "pop"),
        ("req_cnf", confirmation.as_str()),
    ];
    let answer = ask(&emulator, "password", &fields).await.json();
    let token = Secret::new(answer["access_token"].as_str().unwrap().to_owned());
    let control = emulator.control();
    let now = UnixTime::from_seconds(control.now());
    let request = PopRequest::new("GET", "https://api.contoso.com/mail", "n").unwrap();
    let sign = |key: &ProofKey, token: &Secret, now: UnixTime| {
        let signed = key.sign_http_request(&request, token, now);
        control.open_signed_request(signed.expose()).map_err(|error| error.description)
    };
    let opened = sign(&own, &token, now).unwrap();
    assert_eq!(
        opened.request,
        json!({"m": "GET", "u": "api.contoso.com", "p": "/mail", "nonce": "n"})
    );
    assert_eq!(opened.token["preferred_username"], ALICE);
    let foreign = Secret::new("e30.e30.c2ln".to_owned());
    for (refused, expected) in [
        (sign(&other, &token, now), "The token is bound to another key."),
        (sign(&own, &foreign, now), "The token is none of this tenant's."),
        (sign(&own, &token, now.plus_seconds(-301)), "The request was not signed just now."),
    ] {
        let description = refused.unwrap_err();
        assert!(description.ends_with(expected), "{description}");
    }
    for hostile in [token.expose(), "", "a.b.c", "..", "ä.ö.ü"] {
        assert!(control.open_signed_request(hostile).is_err(), "{hostile}");
    }
}
