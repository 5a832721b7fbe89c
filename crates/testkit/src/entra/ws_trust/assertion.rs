//! SAML assertions of the emulated ADFS.
//!
//! The signature is a true one over the digest of the text, but not in XML's canonical form: whoever redeems the
//! assertion must send the very bytes that were issued.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::Signer as _;
use sha2::{Digest as _, Sha256};

use crate::entra::clock::write_iso_time;
use crate::entra::federation::{AUDIENCE, SamlVersion};
use crate::entra::random::derive_uuid;
use crate::entra::state::{State, User};
use crate::entra::template::Html;

/// How long an assertion can be redeemed.
const LIFETIME: i64 = 3_600;

/// What Entra must know of an assertion to take it.
#[derive(Debug, Clone)]
pub(crate) struct IssuedAssertion {
    pub(crate) user: String,
    pub(crate) version: SamlVersion,
    pub(crate) expires_at: i64,
}

/// An assertion in the answer of the federation service.
pub(super) struct Assertion {
    pub(super) xml: Html,
    pub(super) token_type: &'static str,
    pub(super) created: String,
    pub(super) expires: String,
}

/// Issues an assertion for a federated user and remembers it.
pub(super) fn issue(state: &mut State, user: &User) -> Assertion {
    let version =
        state.find_federation(&user.name).map_or_else(SamlVersion::default, |known| known.saml);
    let now = state.clock.now();
    let expires_at = now.saturating_add(LIFETIME);
    let (created, expires) = (write_iso_time(now), write_iso_time(expires_at));
    let id = state.random.next_uuid();
    let write =
        |signature: Html| write_assertion(version, user, &id, &created, &expires, signature);
    let xml = write(sign(state, &write(Html::default()).into_string()));
    let text = state.remember_secret("assertion", xml.clone().into_string());
    let issued = IssuedAssertion { user: user.name.to_lowercase(), version, expires_at };
    state.assertions.insert(text, issued);
    let token_type = match version {
        SamlVersion::V1 => "urn:oasis:names:tc:SAML:1.0:assertion",
        SamlVersion::V2 => "urn:oasis:names:tc:SAML:2.0:assertion",
    };
    Assertion { xml, token_type, created, expires }
}

fn write_assertion(
    version: SamlVersion,
    user: &User,
    id: &str,
    created: &str,
    expires: &str,
    signature: Html,
) -> Html {
    let template = match version {
        SamlVersion::V1 => include_str!("saml-1.xml"),
        SamlVersion::V2 => include_str!("saml-2.xml"),
    };
    // What Entra Connect writes to the directory as the source anchor.
    let immutable_id = derive_uuid(&["immutable id", &user.object_id]);
    let text = Html::text;
    let slots = [
        ("id", text(id)),
        ("created", text(created)),
        ("expires", text(expires)),
        ("audience", text(AUDIENCE)),
        ("immutable_id", text(&BASE64_STANDARD.encode(immutable_id))),
        ("upn", text(&user.name)),
        ("signature", signature),
    ];
    // A file ends with a line break, which is no part of the assertion.
    Html::fill(template.trim_end(), &slots)
}

fn sign(state: &State, unsigned: &str) -> Html {
    let digest = BASE64_STANDARD.encode(Sha256::digest(unsigned));
    let signature: Signature = state.key.sign(unsigned.as_bytes());
    let slots = [
        ("digest", Html::text(&digest)),
        ("value", Html::text(&BASE64_STANDARD.encode(signature.to_bytes()))),
    ];
    Html::fill(include_str!("signature.xml").trim_end(), &slots)
}
