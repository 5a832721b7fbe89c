//! Client assertions (RFC 7523 section 3): signed with a registered certificate, or tokens of a federated issuer.

use serde_json::Value;

use crate::entra::client::{Client, EXCHANGE_AUDIENCE, FederatedCredential};
use crate::entra::error::Refusal;
use crate::entra::jwt::{self, Jwt};
use crate::entra::message::Request;
use crate::entra::origin::base_url_for;
use crate::entra::state::State;
use crate::entra::tenant::Directory;

/// How far two clocks may differ.
const CLOCK_SKEW: i64 = 300;

/// Accepts the assertion as this client's, or says what is wrong with it.
pub(super) fn verify(
    state: &mut State,
    directory: &Directory,
    request: &Request,
    client: &Client,
    assertion: &str,
) -> Result<(), Refusal> {
    let jwt = Jwt::parse(assertion).ok_or_else(|| {
        Refusal::new("invalid_request", 50_027, "The client assertion is not a well-formed JWT.")
    })?;
    if is_of_blueprint(state, client, &jwt, assertion) {
        return check_period(state, &jwt);
    }
    // Those who sign for themselves say their own id; any other issuer is a federated one.
    let issuer = jwt.text("iss");
    if issuer.contains("://") {
        check_federated(state, client, &jwt, issuer, assertion)?;
        return check_period(state, &jwt);
    }
    check_subject(client, &jwt)?;
    check_signature(client, &jwt)?;
    check_period(state, &jwt)?;
    check_audience(state, directory, request, &jwt)?;
    refuse_replay(state, client, &jwt)
}

fn check_subject(client: &Client, jwt: &Jwt) -> Result<(), Refusal> {
    if jwt.text("iss") == client.id && jwt.text("sub") == client.id {
        return Ok(());
    }
    refuse(
        700_021,
        "The application that the client assertion names in iss and sub is not the client_id.",
    )
}

/// The header names the certificate by a thumbprint; `x5c` may carry it along but cannot vouch for itself.
fn check_signature(client: &Client, jwt: &Jwt) -> Result<(), Refusal> {
    // MSAL pads its thumbprints.
    let header = |name: &str| jwt.header[name].as_str().map(|value| value.trim_end_matches('='));
    let (sha1, sha256) = (header("x5t"), header("x5t#S256"));
    let named = client.certificates.iter().find(|certificate| {
        sha256.is_some_and(|named| named == certificate.sha256_thumbprint())
            || sha1.is_some_and(|named| named == certificate.sha1_thumbprint())
    });
    let Some(certificate) = named else {
        let thumbprint = sha256.or(sha1).unwrap_or("none");
        let text = format!(
            "The client assertion's certificate is not registered with the application. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']"
        );
        return refuse(700_027, text);
    };
    if leaf_of_chain(&jwt.header["x5c"]).is_some_and(|leaf| leaf != certificate.der()) {
        return refuse(700_027, "The first certificate of x5c is not the one that x5t names.");
    }
    if !certificate.verifies(jwt.algorithm(), jwt.signed.as_bytes(), &jwt.signature) {
        return refuse(
            700_027,
            "The client assertion failed signature validation. [Reason - The key was found, but use of the key to verify the signature failed.]",
        );
    }
    Ok(())
}

/// PEM text put into `x5c` as it is has line breaks, which MSAL leaves in.
fn leaf_of_chain(x5c: &Value) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text: String = x5c[0].as_str()?.split_whitespace().collect();
    base64::prelude::BASE64_STANDARD.decode(text).ok()
}

/// MSAL for Python writes these times with fractions.
fn check_period(state: &State, jwt: &Jwt) -> Result<(), Refusal> {
    let Some(expires_at) = jwt.seconds("exp") else {
        return refuse(700_024, "The client assertion has no exp.");
    };
    let now = state.clock.now();
    let starts_at = jwt.seconds("nbf").unwrap_or(i64::MIN);
    if now < expires_at && starts_at <= now.saturating_add(CLOCK_SKEW) {
        return Ok(());
    }
    let text = format!(
        "The client assertion is not within its valid time range. Current time: {now}, expiry time of assertion: {expires_at}."
    );
    refuse(700_024, text)
}

/// The token endpoint or the issuer, under the name by which it was reached or under the central one: to a regional
/// host MSAL sends an assertion for the central.
fn check_audience(
    state: &State,
    directory: &Directory,
    request: &Request,
    jwt: &Jwt,
) -> Result<(), Refusal> {
    let audience = jwt.text("aud").trim_end_matches('/').to_owned();
    let bases = [state.base_url.clone(), base_url_for(&state.base_url, request)];
    let is_ours = bases.iter().any(|base| {
        let suffixes = ["oauth2/v2.0/token", "oauth2/token", "v2.0", "token"];
        suffixes.iter().any(|suffix| directory.url(base, suffix) == audience)
            || audience == format!("{base}{}", request.path.trim_end_matches('/'))
    });
    if is_ours {
        return Ok(());
    }
    let text = format!("The client assertion's audience '{audience}' is not this token endpoint.");
    refuse(700_023, text)
}

/// Off by default, as at Entra: MSAL sends one assertion for nine minutes.
fn refuse_replay(state: &mut State, client: &Client, jwt: &Jwt) -> Result<(), Refusal> {
    if !state.settings.refuse_assertion_replay {
        return Ok(());
    }
    let now = state.clock.now();
    state.used_assertions.retain(|_, expires_at| now < *expires_at);
    let id = (client.id.clone(), jwt.text("jti").to_owned());
    let expires_at = jwt.seconds("exp").unwrap_or(now);
    if id.1.is_empty() || state.used_assertions.insert(id, expires_at).is_some() {
        return refuse(700_027, "The client assertion has no jti, or was used before.");
    }
    Ok(())
}

/// Each part that does not match has its number.
fn check_federated(
    state: &State,
    client: &Client,
    jwt: &Jwt,
    issuer: &str,
    assertion: &str,
) -> Result<(), Refusal> {
    let mut candidates: Vec<&FederatedCredential> = client.federated_credentials.iter().collect();
    let (subject, audience) = (jwt.text("sub"), jwt.text("aud"));
    type Part = fn(&FederatedCredential) -> &str;
    let parts: [(&str, &str, u32, Part); 3] = [
        ("issuer", issuer, 700_211, |credential| &credential.issuer),
        ("subject", subject, 700_213, |credential| &credential.subject),
        ("audience", audience, 700_212, |credential| &credential.audience),
    ];
    for (name, presented, number, registered) in parts {
        candidates.retain(|credential| registered(credential) == presented);
        if candidates.is_empty() {
            let text = format!(
                "No federated identity record matches the presented assertion's {name} '{presented}'."
            );
            return refuse(number, text);
        }
    }
    let is_signed = candidates.iter().any(|credential| match &credential.certificate {
        Some(certificate) => {
            certificate.verifies(jwt.algorithm(), jwt.signed.as_bytes(), &jwt.signature)
        }
        None => jwt::verify(&state.key, assertion).is_some(),
    });
    if is_signed {
        return Ok(());
    }
    refuse(700_027, "The federated issuer's signature failed validation.")
}

/// Whether the blueprint of an agent identity vouches for it.
fn is_of_blueprint(state: &State, client: &Client, jwt: &Jwt, assertion: &str) -> bool {
    client.agent_of.as_deref() == Some(jwt.text("azp"))
        && jwt.text("aud") == EXCHANGE_AUDIENCE
        && jwt.text("fmi_path") == client.id
        && jwt::verify(&state.key, assertion).is_some()
}

fn refuse<T>(number: u32, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new("invalid_client", number, text))
}
