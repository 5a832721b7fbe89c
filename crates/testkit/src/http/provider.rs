//! A small provider: it signs people in at once, rotates refresh tokens, and takes one that comes twice for stolen
//! (RFC 9700 section 4.14.2). Tokens are called by the order of their issue: `at-1` comes along with `rt-1`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use valetkey_oauth::{HttpRequest, HttpResponse};

use super::{Host, message};
use crate::proof::open_proof;

/// Which provider it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Microsoft's: `client_info`, families, error numbers, no revocation endpoint.
    Entra,
    /// Plain OpenID Connect, with a revocation endpoint (RFC 7009).
    Oidc,
}

/// How it treats those who come.
#[derive(Clone, Debug)]
pub struct Manners {
    /// A refresh token is good once.
    pub rotates: bool,
    /// `expires_in`.
    pub lifetime: i64,
    /// `refresh_in`.
    pub refresh_in: Option<i64>,
    /// The clients of Microsoft's family "1".
    pub family: Vec<String>,
    /// `auth_time` in ID tokens.
    pub auth_time: Option<i64>,
    /// Takes the place of members of the next ID tokens; null leaves one out.
    pub id_token: Value,
    /// `iss` in redirects (RFC 9207), and the announcement of it.
    pub sends_iss: bool,
    /// The nonce that DPoP proofs must have, and the announcement of DPoP (RFC 9449).
    pub dpop_nonce: Option<String>,
    /// Takes a client's secret by HTTP Basic alone, and says so.
    pub wants_basic: bool,
}

/// A provider in memory.
pub struct TinyProvider {
    /// What applications name it by.
    pub authority: String,
    dialect: Dialect,
    state: Mutex<State>,
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who signed in.
    pub person: String,
    /// At which client.
    pub client: String,
    /// For what, as it was asked for.
    pub scopes: String,
    /// The sign-in that it goes back to.
    pub sign_in: u64,
    /// The key that its tokens are bound to, by its thumbprint.
    pub key: Option<String>,
}

struct State {
    manners: Manners,
    /// How many tokens were issued, and how many sign-ins begun.
    issued: u64,
    sign_ins: u64,
    access_tokens: HashMap<String, Holder>,
    refresh_tokens: HashMap<String, (Holder, bool)>,
    codes: HashMap<String, (Holder, HashMap<String, String>)>,
    devices: HashMap<String, (Holder, Device)>,
    ended: BTreeSet<u64>,
    stolen: BTreeSet<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Device {
    Pending,
    Approved,
    Declined,
}

type Refusal = (&'static str, Value);

impl TinyProvider {
    /// The provider that answers for `authority`.
    pub fn new(authority: &str, dialect: Dialect) -> Self {
        let manners = Manners {
            rotates: true,
            lifetime: 3600,
            refresh_in: None,
            family: Vec::new(),
            auth_time: None,
            id_token: json!({}),
            sends_iss: false,
            dpop_nonce: None,
            wants_basic: false,
        };
        let state = State {
            manners,
            issued: 0,
            sign_ins: 0,
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            ended: BTreeSet::new(),
            stolen: BTreeSet::new(),
        };
        Self { authority: authority.to_owned(), dialect, state: Mutex::new(state) }
    }

    /// Changes how it treats those who come.
    pub fn change_manners(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.lock().manners);
    }

    /// A person goes through the page at `auth_uri` and signs in. The parameters of the redirect.
    pub fn sign_in(&self, auth_uri: &str, person: &str) -> BTreeMap<String, String> {
        let query: HashMap<String, String> =
            Url::parse(auth_uri).iter().flat_map(|url| url.query_pairs().into_owned()).collect();
        let mut state = self.lock();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let mut redirect = BTreeMap::from([("state".to_owned(), text("state"))]);
        if state.manners.sends_iss {
            redirect.insert("iss".to_owned(), self.issuer());
        }
        let holder = state.new_holder(person, text("client_id"), text("scope"));
        let code = format!("code-{}", holder.sign_in);
        redirect.insert("code".to_owned(), code.clone());
        state.codes.insert(code, (holder, query));
        redirect
    }

    /// A person types the code that a device shows.
    pub fn approve_device(&self, user_code: &str, person: &str) {
        if let Some((holder, device)) = self.lock().devices.get_mut(user_code) {
            *device = Device::Approved;
            person.clone_into(&mut holder.person);
        }
    }

    /// A person declines what a device asks for.
    pub fn decline_device(&self, user_code: &str) {
        if let Some((_, device)) = self.lock().devices.get_mut(user_code) {
            *device = Device::Declined;
        }
    }

    /// What an access token is good for.
    pub fn holder_of(&self, access_token: &str) -> Option<Holder> {
        self.lock().access_tokens.get(access_token).cloned()
    }

    /// The provider ends all of a person's sign-ins, as after a change of password.
    pub fn end_sign_ins_of(&self, person: &str) {
        let mut state = self.lock();
        let state = &mut *state;
        let holders = state.refresh_tokens.values().map(|(holder, _)| holder);
        state.ended.extend(holders.filter(|it| it.person == person).map(|it| it.sign_in));
    }

    /// How many sign-ins ended because a refresh token came twice.
    pub fn stolen(&self) -> usize {
        self.lock().stolen.len()
    }

    fn issuer(&self) -> String {
        match self.dialect {
            Dialect::Entra => format!("{}/v2.0", self.authority),
            Dialect::Oidc => self.authority.clone(),
        }
    }

    fn metadata(&self) -> Value {
        let base = match self.dialect {
            Dialect::Entra => format!("{}/oauth2/v2.0", self.authority),
            Dialect::Oidc => self.authority.clone(),
        };
        let mut metadata = json!({
            "issuer": self.issuer(),
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "device_authorization_endpoint": format!("{base}/devicecode"),
            "authorization_response_iss_parameter_supported": self.lock().manners.sends_iss,
        });
        if self.lock().manners.dpop_nonce.is_some() {
            metadata["dpop_signing_alg_values_supported"] = json!(["RS256", "ES256"]);
        }
        if self.lock().manners.wants_basic {
            metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
        }
        if self.dialect == Dialect::Oidc {
            metadata["revocation_endpoint"] = format!("{base}/revoke").into();
        }
        metadata
    }

    fn redeem(&self, request: &HttpRequest) -> Result<Value, Refusal> {
        let mut state = self.lock();
        let bound = state.read_binding(request)?;
        let text = |name| request.form_value(name).unwrap_or_default();
        let client = text("client_id");
        let mut nonce = None;
        let mut holder = match text("grant_type") {
            "authorization_code" => {
                let (holder, query) = state.take_code(text("code"), text("code_verifier"))?;
                nonce = query.get("nonce").cloned();
                holder
            }
            "client_credentials" => {
                let mut answer = state.issue_to_application();
                answer["token_type"] = bound.as_ref().map_or("Bearer", |(kind, _)| kind).into();
                return Ok(answer);
            }
            // The assertion is `<person>:<whatever tells calls apart>`, and the password is the person's name backwards.
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                let person = text("assertion").split(':').next().unwrap_or_default();
                state.new_holder(person, client.to_owned(), text("scope").to_owned())
            }
            "password" => {
                let person = text("username").split('@').next().unwrap_or_default();
                if !person.chars().rev().eq(text("password").chars()) {
                    return Err(("invalid_grant", json!({"error_codes": [50126]})));
                }
                state.new_holder(person, client.to_owned(), text("scope").to_owned())
            }
            "refresh_token" => {
                let key = bound.as_ref().map(|(_, key)| key.as_str());
                state.redeem(text("refresh_token"), client, text("scope"), key)?
            }
            _ => state.poll(text("device_code"))?,
        };
        if holder.client != client {
            return Err(("invalid_grant", json!({})));
        }
        let kind = bound.as_ref().map_or("Bearer", |(kind, _)| *kind);
        // Entra binds the access token alone.
        holder.key = bound.map(|(_, key)| key).filter(|_| kind == "DPoP").or(holder.key);
        let mut answer = self.issue(&mut state, holder, nonce);
        answer["token_type"] = kind.into();
        Ok(answer)
    }

    fn issue(&self, state: &mut State, holder: Holder, nonce: Option<String>) -> Value {
        state.issued += 1;
        let (access, refresh) = (format!("at-{}", state.issued), format!("rt-{}", state.issued));
        let manners = state.manners.clone();
        let mut claims = json!({
            "iss": self.issuer(), "aud": holder.client, "sub": holder.person, "oid": holder.person,
            "preferred_username": format!("{}@contoso.com", holder.person),
            "nonce": nonce, "auth_time": manners.auth_time,
        });
        overlay(&mut claims, &manners.id_token);
        let mut answer = json!({
            "token_type": "Bearer", "expires_in": manners.lifetime, "refresh_in": manners.refresh_in,
            "scope": holder.scopes, "access_token": access,
            "id_token": format!("e30.{}.c2ln", encode(&claims)),
        });
        if self.dialect == Dialect::Entra {
            let info = json!({"uid": holder.person, "utid": "home"});
            answer["client_info"] = encode(&info).into();
            let is_member = manners.family.contains(&holder.client);
            overlay(&mut answer, &if is_member { json!({"foci": "1"}) } else { json!({}) });
        }
        let is_new = !state.refresh_tokens.values().any(|(it, _)| it.sign_in == holder.sign_in);
        if manners.rotates || is_new {
            answer["refresh_token"] = refresh.clone().into();
            state.refresh_tokens.insert(refresh, (holder.clone(), false));
        }
        state.access_tokens.insert(access, holder);
        answer
    }

    fn authorize_device(&self, request: &HttpRequest) -> Value {
        let mut state = self.lock();
        let text = |name| request.form_value(name).unwrap_or_default().to_owned();
        let holder = state.new_holder("", text("client_id"), text("scope"));
        let code = format!("device-{}", holder.sign_in);
        state.devices.insert(code.clone(), (holder, Device::Pending));
        json!({
            "device_code": code, "user_code": code, "interval": 5, "expires_in": 900,
            "verification_uri": format!("{}/device", self.authority),
        })
    }

    fn revoke(&self, request: &HttpRequest) {
        let mut state = self.lock();
        let token = request.form_value("token").unwrap_or_default();
        let sign_in = state.refresh_tokens.get(token).map(|(holder, _)| holder.sign_in);
        state.ended.extend(sign_in);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The token type and the key that a request asks for.
    fn read_binding(
        &self,
        request: &HttpRequest,
    ) -> Result<Option<(&'static str, String)>, Refusal> {
        let proof = request.headers.get("dpop").and_then(|value| value.to_str().ok());
        match (proof, request.form_value("req_cnf")) {
            (Some(proof), _) => {
                let refuse = |error| move || (error, json!({}));
                let proof = open_proof(proof).ok_or_else(refuse("invalid_dpop_proof"))?;
                let is_for_it = proof.claims["htm"] == request.method.as_str()
                    && proof.claims["htu"] == request.url.as_str()
                    && proof.claims.get("ath").is_none();
                is_for_it.then_some(()).ok_or_else(refuse("invalid_dpop_proof"))?;
                let nonce = proof.claims["nonce"].as_str().map(str::to_owned);
                match nonce == self.manners.dpop_nonce {
                    true => Ok(Some(("DPoP", proof.thumbprint))),
                    false => Err(("use_dpop_nonce", json!({}))),
                }
            }
            (None, Some(key)) => Ok(Some(("pop", key.to_owned()))),
            (None, None) => Ok(None),
        }
    }

    fn issue_to_application(&mut self) -> Value {
        self.issued += 1;
        json!({
            "token_type": "Bearer", "expires_in": self.manners.lifetime,
            "refresh_in": self.manners.refresh_in, "access_token": format!("at-{}", self.issued),
        })
    }

    fn new_holder(&mut self, person: &str, client: String, scopes: String) -> Holder {
        self.sign_ins += 1;
        Holder { person: person.to_owned(), client, scopes, sign_in: self.sign_ins, key: None }
    }

    fn take_code(
        &mut self,
        code: &str,
        verifier: &str,
    ) -> Result<(Holder, HashMap<String, String>), Refusal> {
        let (holder, query) = self.codes.remove(code).ok_or(("invalid_grant", json!({})))?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        if query.get("code_challenge") != Some(&challenge) {
            return Err(("invalid_grant", json!({"error_description": "PKCE"})));
        }
        Ok((holder, query))
    }

    fn redeem(
        &mut self,
        token: &str,
        client: &str,
        scopes: &str,
        key: Option<&str>,
    ) -> Result<Holder, Refusal> {
        let dead = || ("invalid_grant", json!({"error_description": "revoked"}));
        let (holder, is_spent) = self.refresh_tokens.get_mut(token).ok_or_else(dead)?;
        if self.ended.contains(&holder.sign_in) {
            return Err(dead());
        }
        if holder.key.is_some() && holder.key.as_deref() != key {
            return Err(("invalid_grant", json!({"error_description": "bound to another key"})));
        }
        let family = &self.manners.family;
        let is_kin = family.iter().any(|it| it == client) && family.contains(&holder.client);
        if holder.client != client && !is_kin {
            return Err(("invalid_grant", json!({"suberror": "client_mismatch"})));
        }
        if *is_spent {
            self.ended.insert(holder.sign_in);
            self.stolen.insert(holder.sign_in);
            return Err(dead());
        }
        *is_spent = self.manners.rotates;
        Ok(Holder { client: client.to_owned(), scopes: scopes.to_owned(), ..holder.clone() })
    }

    fn poll(&mut self, code: &str) -> Result<Holder, Refusal> {
        match self.devices.get(code) {
            None => Err(("invalid_grant", json!({}))),
            Some((_, Device::Pending)) => Err(("authorization_pending", json!({}))),
            Some((_, Device::Declined)) => Err(("access_denied", json!({}))),
            Some((holder, Device::Approved)) => Ok(holder.clone()),
        }
    }
}

impl Host for TinyProvider {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let path = request.url.path();
        if path.ends_with("/openid-configuration") {
            message::json_answer(200, &self.metadata())
        } else if path.ends_with("/devicecode") {
            message::json_answer(200, &self.authorize_device(request))
        } else if path.ends_with("/revoke") {
            self.revoke(request);
            message::answer(200, String::new())
        } else if path.ends_with("/token") {
            match self.redeem(request) {
                Ok(answer) => message::json_answer(200, &answer),
                Err((error, mut members)) => {
                    members["error"] = error.into();
                    let mut answer = message::json_answer(400, &members);
                    let nonce = self.lock().manners.dpop_nonce.clone();
                    if let Some(nonce) = nonce.and_then(|nonce| nonce.parse().ok()) {
                        answer.headers.insert("dpop-nonce", nonce);
                    }
                    answer
                }
            }
        } else {
            message::answer(404, String::new())
        }
    }
}

fn overlay(base: &mut Value, members: &Value) {
    if let (Some(base), Some(members)) = (base.as_object_mut(), members.as_object()) {
        base.extend(members.clone());
    }
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}
