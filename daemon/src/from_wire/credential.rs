//! How a confidential client proves who it is.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use valetkey_engine::ClientCredential;
use valetkey_model::{Secret, UnixTime};
use valetkey_oauth::{ClientCertificate, CredentialError, PemCredential};
use valetkey_proto::v1::{self, ErrorCode};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// A credential that can be used.
///
/// # Errors
/// When a part of it cannot be, or the parts do not belong together; with nothing of the secret in the text.
pub(super) fn from_wire(
    credential: &v1::ClientCredential,
    now: UnixTime,
) -> Result<ClientCredential, Failure> {
    Ok(match credential {
        v1::ClientCredential::Secret { secret } => {
            ClientCredential::Secret(filled("secret", secret)?)
        }
        v1::ClientCredential::Assertion { assertion } => {
            ClientCredential::Assertion(filled("assertion", assertion)?)
        }
        v1::ClientCredential::AssertionCallback => ClientCredential::AssertionCallback,
        v1::ClientCredential::PrivateKey { private_key, passphrase, certificate, thumbprint } => {
            let parsed = ClientCertificate::from_pem(&PemCredential {
                private_key: &filled("private_key", private_key)?,
                passphrase: passphrase.as_ref().map(secret).as_ref(),
                certificate: certificate.as_deref(),
                thumbprint: thumbprint.as_deref(),
                send_certificate: certificate.is_some(),
            });
            certified(parsed, now)?
        }
        v1::ClientCredential::Pfx { pfx, passphrase, send_certificate } => {
            let file = STANDARD.decode(pfx.0.as_bytes()).map(Zeroizing::new);
            let file = file.map_err(|_| refused("pfx is no base64"))?;
            let passphrase = passphrase.as_ref().map(secret);
            certified(
                ClientCertificate::from_pfx(&file, passphrase.as_ref(), *send_certificate),
                now,
            )?
        }
    })
}

/// A certificate that has expired is told at once: the provider would only say that it does not know who asks.
fn certified(
    parsed: Result<ClientCertificate, CredentialError>,
    now: UnixTime,
) -> Result<ClientCredential, Failure> {
    let certificate = parsed.map_err(|error| refused(error.to_string()))?;
    certificate.check_validity(now).map_err(|error| refused(error.to_string()))?;
    Ok(ClientCredential::Certificate(Arc::new(certificate)))
}

fn secret(text: &v1::SecretText) -> Secret {
    Secret::new(text.0.clone())
}

fn filled(member: &str, text: &v1::SecretText) -> Result<Secret, Failure> {
    match text.0.is_empty() {
        true => Err(refused(format!("{member} is empty"))),
        false => Ok(secret(text)),
    }
}

fn refused(reason: impl Into<String>) -> Failure {
    Failure::request(ErrorCode::InvalidCredential, format!("credential: {}", reason.into()))
}
