//! User realms, the emulated ADFS, and authorities that are not Entra's plain tenants.

use serde_json::{Value, json};

use super::http::{ALICE, Answer, CLIENT, decode_claims, encode, get, post, send, start};
use crate::entra::{
    CONTOSO, EntraEmulator, FederatedDomain, NewUser, PASSWORD, SamlVersion, Scenario,
};

const CAROL: &str = "carol@adfs.contoso.com";
const FEB_2005: &str = "http://schemas.xmlsoap.org/ws/2005/02/trust";
const TRUST_13: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const SAML_1: &str = "urn:ietf:params:oauth:grant-type:saml1_1-bearer";
const SAML_2: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";

async fn start_with_carol() -> EntraEmulator {
    start(|options| options.users.push(NewUser::named(CAROL))).await
}

#[tokio::test]
async fn a_user_realm_says_where_the_password_belongs() {
    let emulator = start_with_carol().await;
    for (user, account_type) in [
        (ALICE, "Managed"),
        ("someone%40contoso.com", "Managed"),
        (CAROL, "Federated"),
        ("x@nowhere.example", "Unknown"),
    ] {
        let realm = get(&emulator, &format!("/common/userrealm/{user}?api-version=1.0")).await;
        assert_eq!(realm.json()["account_type"], account_type, "{user}");
    }
    let path = format!("/common/userrealm/{CAROL}?api-version=1.0");
    let realm = get(&emulator, &path).await.json();
    let trust = format!("{}/services/trust", emulator.authority("adfs"));
    assert_eq!(realm["federation_metadata_url"], format!("{trust}/mex"));
    assert_eq!(realm["federation_active_auth_url"], format!("{trust}/2005/usernamemixed"));
    assert_eq!(realm["cloud_audience_urn"], "urn:federation:MicrosoftOnline");
    let without = FederatedDomain { metadata: false, ..FederatedDomain::named("adfs.contoso.com") };
    emulator.control().federate_domain(without);
    assert_eq!(get(&emulator, &path).await.json()["federation_metadata_url"], Value::Null);
}

#[tokio::test]
async fn the_metadata_names_both_password_endpoints() {
    let base = "https://adfs.contoso.com";
    let emulator = start(|options| options.public_url = Some(base.into())).await;
    let document = get(&emulator, "/adfs/services/trust/mex").await;
    let parsed = roxmltree::Document::parse(&document.body).expect("XML");
    let addresses: Vec<&str> = parsed
        .descendants()
        .filter(|node| node.tag_name().name() == "Address")
        .filter_map(|node| node.text())
        .filter(|address| address.ends_with("usernamemixed"))
        .collect();
    let trust = format!("{base}/adfs/services/trust");
    let expected = [format!("{trust}/2005/usernamemixed"), format!("{trust}/13/usernamemixed")];
    assert_eq!(addresses, expected);
    for policy in ["SignedSupportingTokens", "SignedEncryptedSupportingTokens"] {
        assert!(parsed.descendants().any(|node| node.tag_name().name() == policy), "{policy}");
    }
}

/// The envelope of a client; times are fixed far enough for any run.
fn envelope(namespace: &str, user: &str, password: &str, expires: &str) -> String {
    let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    format!(
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:a='http://www.w3.org/2005/08/addressing'>\
         <s:Header><a:Action>{namespace}/RST/Issue</a:Action><a:MessageID>urn:uuid:1</a:MessageID>\
         <Security xmlns:u='{wsu}'><u:Timestamp><u:Created>2020-01-01T00:00:00Z</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>\
         <UsernameToken><Username>{user}</Username><Password>{password}</Password></UsernameToken></Security></s:Header>\
         <s:Body><t:RequestSecurityToken xmlns:t='{namespace}'><AppliesTo><a:Address>urn:federation:MicrosoftOnline</a:Address></AppliesTo>\
         </t:RequestSecurityToken></s:Body></s:Envelope>"
    )
}

async fn ask_adfs(emulator: &EntraEmulator, version: &str, envelope: String) -> Answer {
    let request = http::Request::post(format!("/adfs/services/trust/{version}/usernamemixed"))
        .header("host", "localhost")
        .header("content-type", "application/soap+xml; charset=utf-8");
    send(emulator, request.body(envelope).expect("a request")).await
}

/// The assertion in an answer, byte for byte.
fn assertion_of(answer: &Answer) -> &str {
    let (_, rest) = answer.body.split_once(":RequestedSecurityToken>").expect("a start");
    let (assertion, _) = rest.split_once(":RequestedSecurityToken>").expect("an end");
    let (assertion, _prefix) = assertion.rsplit_once("</").expect("a closing tag");
    assertion
}

async fn redeem(emulator: &EntraEmulator, grant_type: &str, assertion: &str) -> Answer {
    let encoded = encode(assertion);
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", grant_type),
        ("assertion", encoded.as_str()),
        ("scope", "User.Read offline_access openid profile"),
        ("client_info", "1"),
    ];
    post(emulator, "/organizations/oauth2/v2.0/token", &fields).await
}

#[tokio::test]
async fn a_federated_user_s_password_buys_an_assertion_and_that_buys_tokens() {
    let emulator = start_with_carol().await;
    for (version, namespace, saml, grant_type, other) in [
        ("2005", FEB_2005, SamlVersion::V1, SAML_1, SAML_2),
        ("13", TRUST_13, SamlVersion::V1, SAML_1, SAML_2),
        ("13", TRUST_13, SamlVersion::V2, SAML_2, SAML_1),
    ] {
        let domain = FederatedDomain { saml, ..FederatedDomain::named("adfs.contoso.com") };
        emulator.control().federate_domain(domain);
        let asked = envelope(namespace, CAROL, PASSWORD, "2999-01-01T00:00:00Z");
        let answer = ask_adfs(&emulator, version, asked).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        roxmltree::Document::parse(&answer.body).expect("XML");
        let assertion = assertion_of(&answer);
        let tokens = redeem(&emulator, grant_type, assertion).await;
        assert_eq!(tokens.outcome(), "200", "{}", tokens.body);
        let tokens = tokens.json();
        assert_eq!(decode_claims(&tokens["id_token"])["preferred_username"], CAROL);
        assert!(tokens["refresh_token"].is_string());
        let changed = assertion.replace("carol", "alice");
        for (grant_type, assertion) in [(grant_type, changed.as_str()), (other, assertion)] {
            let refused = redeem(&emulator, grant_type, assertion).await.json();
            assert_eq!(refused["error_codes"], json!([50_008]));
        }
    }
}

#[tokio::test]
async fn a_fault_has_status_500_and_says_why() {
    let emulator = start_with_carol().await;
    let later = "2999-01-01T00:00:00Z";
    for (version, envelope, subcode) in [
        ("13", envelope(TRUST_13, CAROL, "wrong", later), "FailedAuthentication"),
        ("13", envelope(TRUST_13, ALICE, PASSWORD, later), "FailedAuthentication"),
        ("13", envelope(TRUST_13, CAROL, PASSWORD, "2020-01-01T00:00:01Z"), "InvalidSecurity"),
        ("13", envelope(TRUST_13, CAROL, PASSWORD, "soon"), "InvalidSecurity"),
        ("2005", envelope(TRUST_13, CAROL, PASSWORD, later), "ActionNotSupported"),
        ("2005", "nonsense".to_owned(), "InvalidRequest"),
        (
            "13",
            envelope(TRUST_13, CAROL, PASSWORD, later).replace("MicrosoftOnline", "Other"),
            "InvalidScope",
        ),
    ] {
        let answer = ask_adfs(&emulator, version, envelope).await;
        assert_eq!(answer.status, 500, "{subcode}");
        assert!(answer.body.contains(&format!(":{subcode}</s:Value>")), "{}", answer.body);
        roxmltree::Document::parse(&answer.body).expect("XML");
    }
}

#[tokio::test]
async fn an_assertion_lives_for_an_hour_and_meets_the_user_s_trouble() {
    let emulator = start_with_carol().await;
    let asked = envelope(FEB_2005, CAROL, PASSWORD, "2999-01-01T00:00:00Z");
    let answer = ask_adfs(&emulator, "2005", asked).await;
    emulator.control().set_user_scenario(CAROL, Some(Scenario::InteractionRequired));
    let refused = redeem(&emulator, SAML_1, assertion_of(&answer)).await;
    assert_eq!(refused.outcome(), "400 interaction_required basic_action");
    emulator.control().set_user_scenario(CAROL, None);
    emulator.control().advance_clock(3_600);
    let refused = redeem(&emulator, SAML_1, assertion_of(&answer)).await;
    assert_eq!(refused.outcome(), "400 invalid_grant");
}

#[tokio::test]
async fn a_federated_user_has_no_password_at_entra() {
    let emulator = start_with_carol().await;
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "password"),
        ("username", CAROL),
        ("password", PASSWORD),
    ];
    let answer = post(&emulator, "/organizations/oauth2/v2.0/token", &fields).await;
    assert_eq!(answer.json()["error_codes"], json!([50_126]));
    let at_adfs = post(&emulator, "/adfs/oauth2/token/", &fields).await;
    assert_eq!(at_adfs.outcome(), "200");
}

#[tokio::test]
async fn authorities_of_other_kinds_describe_themselves() {
    let emulator = start(|_| {}).await;
    let base = emulator.base_url();
    for (host, path, endpoint) in [
        ("localhost", "/adfs", format!("{base}/adfs/oauth2/token/")),
        ("localhost", "/dstsv2/realm/v2.0", format!("{base}/dstsv2/realm/oauth2/v2.0/token")),
        (
            "localhost",
            "/contoso.com/b2c_1_in/v2.0",
            format!("{base}/{CONTOSO}/b2c_1_in/oauth2/v2.0/token"),
        ),
        (
            "contoso.b2clogin.com",
            "/contoso.onmicrosoft.com/b2c_1_in/v2.0",
            format!("https://contoso.b2clogin.com/{CONTOSO}/b2c_1_in/oauth2/v2.0/token"),
        ),
        (
            "contoso.ciamlogin.com",
            "/contoso.onmicrosoft.com/v2.0",
            format!("https://contoso.ciamlogin.com/{CONTOSO}/oauth2/v2.0/token"),
        ),
    ] {
        let request = http::Request::get(format!("{path}/.well-known/openid-configuration"))
            .header("host", host);
        let answer = send(&emulator, request.body(String::new()).expect("a request")).await;
        assert_eq!(answer.json()["token_endpoint"], endpoint, "{host}{path}");
    }
}

#[tokio::test]
async fn b2c_tells_a_user_s_policies_apart() {
    let emulator = start(|_| {}).await;
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "password"),
        ("username", ALICE),
        ("password", PASSWORD),
        ("scope", "openid"),
        ("client_info", "1"),
    ];
    let path = "/contoso.com/b2c_1_in/oauth2/v2.0/token";
    let tokens = post(&emulator, path, &fields).await.json();
    assert_eq!(decode_claims(&tokens["id_token"])["tfp"], "b2c_1_in");
    let client_info =
        decode_claims(&json!(format!(".{}.", tokens["client_info"].as_str().expect("text"))));
    let object_id = &emulator.control().users()[0].object_id;
    assert_eq!(client_info["uid"], format!("{object_id}-b2c_1_in"));
}
