//! Who asks: client authentication at the token endpoint (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::client_assertion;
use crate::entra::client::Client;
use crate::entra::error::Refusal;
use crate::entra::message::{Params, Request};
use crate::entra::state::State;
use crate::entra::tenant::Directory;

/// `client_assertion_type` of a JWT (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    None,
    Secret,
    Assertion,
}

impl Proof {
    /// `azpacr`, by which a resource tells how sure Entra was of the client.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

enum Presented {
    Nothing,
    Secret(String),
    Assertion(String),
}

/// Finds the client and checks what it presents. A public client must present nothing (AADSTS700025).
pub(crate) fn authenticate(
    state: &mut State,
    directory: &Directory,
    request: &Request,
) -> Result<(Client, Proof), Refusal> {
    let (client_id, presented) = read_credentials(request)?;
    let client = state.find_client(&client_id)?;
    let refuse = |number, text: &str| Err(Refusal::new("invalid_client", number, text));
    let proof = match presented {
        Presented::Nothing if client.is_confidential() => {
            return refuse(
                7_000_218,
                "The request body must contain a client_assertion or a client_secret.",
            );
        }
        Presented::Nothing => Proof::None,
        _ if !client.is_confidential() => {
            return refuse(
                700_025,
                "The client is public, so it must present neither a client_assertion nor a client_secret.",
            );
        }
        Presented::Secret(secret) if client.secret.as_ref() == Some(&secret) => Proof::Secret,
        Presented::Secret(_) => {
            return refuse(
                7_000_215,
                "The client secret is wrong. It must be the secret's value and not its id.",
            );
        }
        Presented::Assertion(assertion) => {
            client_assertion::verify(state, directory, request, &client, &assertion)?;
            Proof::Assertion
        }
    };
    Ok((client, proof))
}

/// The client's id and its credential, of which there may be one only (RFC 6749 section 2.3).
fn read_credentials(request: &Request) -> Result<(String, Presented), Refusal> {
    let form = &request.form;
    let basic = request.header("authorization").and_then(read_basic);
    let secret = form.get("client_secret").map(str::to_owned);
    let assertion = form.get("client_assertion").map(str::to_owned);
    match (basic, secret, assertion) {
        (None, None, None) => Ok((read_client_id(form)?, Presented::Nothing)),
        (Some((client_id, secret)), None, None) => Ok((client_id, Presented::Secret(secret))),
        (None, Some(secret), None) => Ok((read_client_id(form)?, Presented::Secret(secret))),
        (None, None, Some(assertion)) if form.get("client_assertion_type") == Some(JWT_BEARER) => {
            Ok((read_client_id(form)?, Presented::Assertion(assertion)))
        }
        (None, None, Some(_)) => {
            let text = format!("The client_assertion_type must be '{JWT_BEARER}'.");
            Err(Refusal::new("invalid_request", 7_000_218, text))
        }
        _ => {
            let text = "The client presents more than one credential.";
            Err(Refusal::new("invalid_request", 90_100, text))
        }
    }
}

fn read_client_id(form: &Params) -> Result<String, Refusal> {
    form.require("client_id").map(str::to_owned)
}

/// HTTP Basic; both halves are form-encoded first (RFC 6749 section 2.3.1).
fn read_basic(header: &str) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (client_id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let decode = |half: &str| {
        let pair = format!("v={half}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(client_id)?, decode(secret)?))
}
