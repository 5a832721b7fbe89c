//! Keys that the tests sign client assertions with.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::Value;

use super::http::encode;
use crate::entra::Certificate;

pub(super) const CERTIFICATE: &str = include_str!("fixtures/client.cert.pem");
pub(super) const KEY: &str = include_str!("fixtures/client.key.pem");
pub(super) const STRANGERS_CERTIFICATE: &str = include_str!("fixtures/stranger.cert.pem");
pub(super) const STRANGERS_KEY: &str = include_str!("fixtures/stranger.key.pem");

pub(super) fn certificate(pem: &str) -> Certificate {
    Certificate::from_pem(pem).expect("a certificate")
}

/// A JWT that this key signed, RS256 or PS256 as its header says.
pub(super) fn sign(key: &str, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let padding: &'static dyn RsaEncoding =
        if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
    let pair = RsaKeyPair::from_pkcs8(&decode_pem(key)).expect("an RSA key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    format!("{signed}.{}", encode(signature))
}

pub(super) fn decode_pem(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(body).expect("base64")
}
