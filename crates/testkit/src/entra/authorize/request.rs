//! Reading an authorization request.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::redirect::{ResponseMode, ReturnAddress};
use crate::entra::claims;
use crate::entra::client::Client;
use crate::entra::error::Refusal;
use crate::entra::message::Params;
use crate::entra::state::State;
use crate::entra::tenant::Directory;

/// An authorization request that may be answered.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) directory: Directory,
    pub(crate) client: Client,
    pub(crate) address: ReturnAddress,
    pub(crate) scopes: Vec<String>,
    pub(crate) prompt: Prompt,
    pub(crate) login_hint: Option<String>,
    pub(crate) max_age: Option<i64>,
    pub(crate) nonce: Option<String>,
    pub(crate) claims: Option<Value>,
    pub(crate) challenge: Option<CodeChallenge>,
    pub(crate) client_info: bool,
}

/// How much the user is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    AsNeeded,
    None,
    Login,
    SelectAccount,
    Consent,
}

/// The PKCE challenge, method S256 (RFC 7636).
#[derive(Debug, Clone)]
pub(crate) struct CodeChallenge(String);

impl CodeChallenge {
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == self.0
    }
}

/// Finds the client and where to answer. Failing here must not redirect (RFC 6749 section 4.1.2.1).
pub(super) fn read_return_address(
    state: &State,
    params: &Params,
) -> Result<(Client, ReturnAddress), Refusal> {
    params.refuse_duplicates()?;
    let client = state.find_client(params.require("client_id")?)?;
    let redirect_uri = params.require("redirect_uri")?;
    if !is_allowed_redirect(&client, redirect_uri) {
        let text = format!(
            "The redirect URI '{redirect_uri}' is not registered for the application '{}'.",
            client.id
        );
        return Err(Refusal::new("invalid_request", 50_011, text));
    }
    let mode = match params.get("response_mode") {
        None | Some("query") => ResponseMode::Query,
        Some("fragment") => ResponseMode::Fragment,
        Some("form_post") => ResponseMode::FormPost,
        Some(other) => {
            let text = format!("The value '{other}' for response_mode is not supported.");
            return Err(Refusal::new("invalid_request", 70_007, text));
        }
    };
    let address = ReturnAddress {
        redirect_uri: redirect_uri.to_owned(),
        mode,
        state: params.get("state").map(str::to_owned),
    };
    Ok((client, address))
}

/// Loopback redirects suit every native client and any port (RFC 8252 section 7.3); others must be registered.
fn is_allowed_redirect(client: &Client, redirect_uri: &str) -> bool {
    if client.redirect_uris.iter().any(|registered| registered == redirect_uri) {
        return true;
    }
    let Ok(url) = Url::parse(redirect_uri) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_loopback && url.scheme() == "http" && url.fragment().is_none() && url.username().is_empty()
}

/// Reads the rest; a failure goes back to the client by redirect.
pub(super) fn read(
    directory: Directory,
    client: Client,
    address: ReturnAddress,
    params: &Params,
) -> Result<AuthorizationRequest, Refusal> {
    let response_type = params.require("response_type")?;
    if response_type != "code" {
        let text = format!("The response type '{response_type}' is not supported; use 'code'.");
        return Err(Refusal::new("unsupported_response_type", 70_005, text));
    }
    params.require("scope")?;
    let max_age = params
        .get("max_age")
        .map(|text| text.parse::<i64>().map_err(|_| invalid("max_age")))
        .transpose()?;
    Ok(AuthorizationRequest {
        directory,
        client,
        address,
        scopes: params.words("scope"),
        prompt: read_prompt(params)?,
        login_hint: params.get("login_hint").map(str::to_owned),
        max_age,
        nonce: params.get("nonce").map(str::to_owned),
        claims: claims::read(params)?,
        challenge: read_challenge(params)?,
        client_info: params.get("client_info") == Some("1"),
    })
}

fn read_prompt(params: &Params) -> Result<Prompt, Refusal> {
    match params.get("prompt") {
        None => Ok(Prompt::AsNeeded),
        Some("none") => Ok(Prompt::None),
        Some("login" | "create") => Ok(Prompt::Login),
        Some("select_account") => Ok(Prompt::SelectAccount),
        Some("consent") => Ok(Prompt::Consent),
        Some(other) => {
            let text = format!("There is no prompt '{other}'.");
            Err(Refusal::new("invalid_request", 90_023, text))
        }
    }
}

fn read_challenge(params: &Params) -> Result<Option<CodeChallenge>, Refusal> {
    let Some(challenge) = params.get("code_challenge") else { return Ok(None) };
    if params.get("code_challenge_method") != Some("S256") {
        return Err(invalid("code_challenge_method"));
    }
    if challenge.len() != 43 {
        return Err(Refusal::new(
            "invalid_request",
            501_491,
            "A code_challenge has 43 characters.",
        ));
    }
    Ok(Some(CodeChallenge(challenge.to_owned())))
}

fn invalid(name: &str) -> Refusal {
    Refusal::new("invalid_request", 90_100, format!("The parameter '{name}' is not valid."))
}
