//! A program that uses the daemon: the verbs of `/v1` for one application.

use std::io;

use serde_json::{Value, json};
use valetkey_testkit::entra::Control;

use crate::connection::{Answer, Connection, post, request};
use crate::world::SCOPE;

/// A connection, and the application that was opened over it.
pub struct Caller {
    /// For what has no verb here.
    pub connection: Connection,
    /// The application's id.
    pub app: String,
}

impl Caller {
    /// Opens the application that `definition` defines.
    ///
    /// # Panics
    /// When the daemon refuses.
    pub async fn open(mut connection: Connection, definition: &Value) -> Self {
        let opened = connection.post("/v1/apps", definition).await.success();
        let app = opened["app"].as_str().expect("an id").to_owned();
        Self { connection, app }
    }

    /// As [`Self::open`], for a daemon that may die meanwhile.
    ///
    /// # Errors
    /// When it does.
    pub async fn try_open(mut connection: Connection, definition: &Value) -> io::Result<Self> {
        let opened = connection.try_ask(&post("/v1/apps", definition)).await?.success();
        let app = opened["app"].as_str().expect("an id").to_owned();
        Ok(Self { connection, app })
    }

    /// A token without asking anybody: `request` beside the usual scope.
    pub async fn token(&mut self, request: Value) -> Answer {
        let body = with_scope(request);
        self.connection.post(&format!("/v1/apps/{}/token", self.app), &body).await
    }

    /// As [`Self::token`], for a daemon that may die meanwhile.
    ///
    /// # Errors
    /// When it does.
    pub async fn try_token(&mut self, request: Value) -> io::Result<Answer> {
        let body = with_scope(request);
        self.connection.try_ask(&post(&format!("/v1/apps/{}/token", self.app), &body)).await
    }

    /// Signs a proof for a request to a resource.
    pub async fn proof(&mut self, request: Value) -> Answer {
        self.connection.post(&format!("/v1/apps/{}/proofs", self.app), &request).await
    }

    /// Starts a flow: `request` beside the usual scope.
    pub async fn start_flow(&mut self, request: Value) -> Answer {
        let body = with_scope(request);
        self.connection.post(&format!("/v1/apps/{}/flows", self.app), &body).await
    }

    /// The flow, when it has ended, or after these seconds.
    pub async fn wait_for(&mut self, flow: &Value, seconds: u32) -> Value {
        let flow = flow["flow"].as_str().expect("a flow has an id");
        self.connection.get(&format!("/v1/flows/{flow}?wait={seconds}")).await.success()
    }

    /// Hands a redirect's parameters in.
    pub async fn complete(&mut self, flow: &Value, parameters: &[(String, String)]) -> Answer {
        let flow = flow["flow"].as_str().expect("a flow has an id");
        let response: serde_json::Map<String, Value> = parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let body = json!({"auth_response": response});
        self.connection.post(&format!("/v1/flows/{flow}/complete"), &body).await
    }

    /// Signs a person in by device code, and returns the result.
    ///
    /// # Panics
    /// When it does not come off.
    pub async fn sign_in(&mut self, control: &Control, user: &str) -> Value {
        let flow = self.start_flow(json!({"kind": "device_code"})).await.success();
        let user_code = flow["device"]["user_code"].as_str().expect("a user code");
        control.approve_device(user_code, user).unwrap();
        let ended = self.wait_for(&flow, 30).await;
        assert_eq!(ended["state"], "completed", "{ended}");
        ended["result"].clone()
    }

    /// As [`Self::sign_in`], for a scope of its own, since sign-ins for the same are joined, and for a daemon that may die
    /// meanwhile: true when the daemon said that it is done.
    ///
    /// # Errors
    /// When it dies.
    pub async fn try_sign_in(
        &mut self,
        control: &Control,
        user: &str,
        scope: &str,
    ) -> io::Result<bool> {
        let asked = json!({"kind": "device_code", "scopes": [scope]});
        let start = post(&format!("/v1/apps/{}/flows", self.app), &asked);
        let answer = self.connection.try_ask(&start).await?;
        if answer.status >= 300 {
            return Ok(false);
        }
        let flow = answer.json();
        let user_code = flow["device"]["user_code"].as_str().expect("a user code");
        control.approve_device(user_code, user).unwrap();
        let flow = flow["flow"].as_str().expect("a flow has an id");
        let wait = request("GET", &format!("/v1/flows/{flow}?wait=30"), "", b"");
        let ended = self.connection.try_ask(&wait).await?;
        Ok(ended.status == 200 && ended.json()["state"] == "completed")
    }

    /// Who has signed in.
    ///
    /// # Panics
    /// When the daemon refuses.
    pub async fn accounts(&mut self) -> Vec<Value> {
        let path = format!("/v1/apps/{}/accounts", self.app);
        let answer = self.connection.get(&path).await.success();
        answer["accounts"].as_array().expect("a list").clone()
    }

    /// The names of those who have signed in, sorted.
    pub async fn usernames(&mut self) -> Vec<String> {
        let accounts = self.accounts().await;
        let mut names: Vec<_> = accounts
            .iter()
            .map(|account| account["username"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Signs an account out.
    pub async fn sign_out(&mut self, home_account_id: &str) -> Answer {
        self.connection.delete(&format!("/v1/apps/{}/accounts/{home_account_id}", self.app)).await
    }
}

fn with_scope(mut request: Value) -> Value {
    let members = request.as_object_mut().expect("an object");
    members.entry("scopes").or_insert_with(|| json!([SCOPE]));
    request
}
