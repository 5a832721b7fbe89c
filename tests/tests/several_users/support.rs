//! Users of the machine, and what one of them has.

use serde_json::{Value, json};
use url::Url;
use valetkey_testkit::entra::{Client, EntraEmulator, Options};
use valetkey_tests::{ALICE, Answer, CLIENT_ID, Caller, Connection, SeveralUsers, request};

pub(crate) const ANN: u32 = 12_345;
pub(crate) const BEN: u32 = 65_534;
pub(crate) const STRANGER: u32 = 54_321;
pub(crate) const ROOT: u32 = 0;

pub(crate) const APP: &str = "a91a91a9-0000-4000-8000-00000000da7a";
pub(crate) const SECRET: &str = "s3cret-of-an-application";
pub(crate) const PRIVATE: &str = "0123456789abcdef";

pub(crate) async fn provider() -> EntraEmulator {
    let application = Client { id: APP.into(), secret: Some(SECRET.into()), ..Client::default() };
    let mut options = Options { clients: vec![application], ..Options::default() };
    options.settings.device_interval = 1;
    EntraEmulator::start(options).await.unwrap()
}

/// `[policy]` that admits the provider.
pub(crate) fn policy(entra: &EntraEmulator) -> String {
    let authority = Url::parse(&entra.authority("common")).unwrap();
    let (host, port) = (authority.host_str().unwrap(), authority.port().unwrap());
    format!("[policy]\nauthorities = [\"{host}:{port}\"]\n")
}

pub(crate) fn definition(entra: &EntraEmulator) -> Value {
    json!({
        "client_id": CLIENT_ID,
        "authority": entra.authority("common"),
        "validate_authority": false,
    })
}

pub(crate) fn confidential(entra: &EntraEmulator) -> Value {
    let mut definition = definition(entra);
    definition["kind"] = "confidential".into();
    definition["client_id"] = APP.into();
    definition["authority"] = entra.authority("contoso.com").into();
    definition["credential"] = json!({"type": "secret", "secret": SECRET});
    definition
}

pub(crate) fn private(entra: &EntraEmulator) -> Value {
    let mut definition = definition(entra);
    definition["private_cache"] = PRIVATE.into();
    definition
}

/// An application for Ann alone, whose secret is in the daemon's store.
pub(crate) fn declared(entra: &EntraEmulator) -> String {
    let authority = entra.authority("contoso.com");
    format!(
        "[apps.reports]\nkind = \"confidential\"\nclient_id = \"{APP}\"\nauthority = \"{authority}\"\n\
         validate_authority = false\nusers = [{ANN}]\n[apps.reports.credential]\nsecret = {{ vault = \"reports\" }}\n"
    )
}

pub(crate) async fn put(connection: &mut Connection, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    connection.ask(&request("PUT", path, &headers, body.as_bytes())).await
}

/// What Ann has, by all the names that she ever saw.
pub(crate) struct Ann {
    pub(crate) usual: Caller,
    _others: Vec<Caller>,
    pub(crate) ids: Vec<String>,
    pub(crate) account: String,
    pub(crate) token: String,
}

impl Ann {
    pub(crate) async fn settle(machine: &SeveralUsers, entra: &EntraEmulator) -> Self {
        let mut usual = Caller::open(machine.connect_as(ANN), &definition(entra)).await;
        let signed_in = usual.sign_in(entra.control(), ALICE).await;
        let account = usual.accounts().await[0]["home_account_id"].as_str().unwrap().to_owned();
        let pending =
            json!({"kind": "device_code", "scopes": ["https://graph.contoso.com/Files.Read"]});
        let pending = usual.start_flow(pending).await.success();
        let mut own = Caller::open(machine.connect_as(ANN), &private(entra)).await;
        own.sign_in(entra.control(), ALICE).await;
        let mut service = Caller::open(machine.connect_as(ANN), &confidential(entra)).await;
        let scopes = json!({"grant": "client_credentials", "scopes": ["https://vault.contoso.com/.default"]});
        service.token(scopes.clone()).await.success();
        let mut reports = Caller::open(machine.connect_as(ANN), &json!({"name": "reports"})).await;
        reports.token(scopes).await.success();
        let mut ids = vec!["reports".to_owned(), pending["flow"].as_str().unwrap().to_owned()];
        let others = vec![own, service, reports];
        ids.extend(others.iter().map(|caller| caller.app.clone()));
        ids.push(usual.app.clone());
        let token = signed_in["access_token"].as_str().unwrap().to_owned();
        Self { usual, _others: others, ids, account, token }
    }

    /// What must be in nobody else's answer.
    pub(crate) fn traces(&self) -> Vec<&str> {
        let mut traces = vec![ALICE, &self.account, &self.token, "reports"];
        traces.extend(self.ids.iter().skip(1).map(String::as_str));
        traces
    }
}

/// A daemon for all, with a provider, on which Ann has settled.
pub(crate) async fn settled() -> Option<(SeveralUsers, EntraEmulator, Ann)> {
    let entra = provider().await;
    let configuration =
        format!("[service]\nusers = \"all\"\n{}{}", policy(&entra), declared(&entra));
    let machine = SeveralUsers::start(&configuration).await?;
    let secret = json!({"secret": SECRET});
    assert_eq!(
        put(&mut machine.connect_as(ROOT), "/v1/secrets/reports", &secret).await.status,
        204
    );
    let ann = Ann::settle(&machine, &entra).await;
    Some((machine, entra, ann))
}
