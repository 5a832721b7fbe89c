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

/// A credential. Opening a key may take a second.
///
/// # Errors
/// When a part of it cannot be, or the parts do not belong together; with nothing of the secret in the text.
pub fn credential(credential: &v1::ClientCredential) -> Result<ClientCredential, Failure> {
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
            certified(parsed)?
        }
        v1::ClientCredential::Pfx { pfx, passphrase, send_certificate, certificate } => {
            let file = STANDARD.decode(pfx.0.as_bytes()).map(Zeroizing::new);
            let file = file.map_err(|_| refused("pfx is no base64"))?;
            let passphrase = passphrase.as_ref().map(secret);
            let own = ClientCertificate::from_pfx(&file, passphrase.as_ref(), *send_certificate);
            let parsed = match certificate.as_deref() {
                Some(text) => own.and_then(|own| own.with_certificates(text)),
                None => own,
            };
            certified(parsed)?
        }
    })
}

fn certified(
    parsed: Result<ClientCertificate, CredentialError>,
) -> Result<ClientCredential, Failure> {
    let certificate = parsed.map_err(|error| refused(error.to_string()))?;
    Ok(ClientCredential::Certificate(Arc::new(certificate)))
}

/// A certificate that has expired is told at once: the provider would only say that it does not know who asks.
///
/// # Errors
/// When it has, or is not valid yet.
pub fn check_validity(credential: &ClientCredential, now: UnixTime) -> Result<(), Failure> {
    match credential {
        ClientCredential::Certificate(certificate) => {
            certificate.check_validity(now).map_err(|error| refused(error.to_string()))
        }
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../crates/oauth/src/credential/fixtures/", $name))
        };
    }

    fn check(certificate: Option<&[u8]>, refusal: Option<&str>) {
        let pfx = v1::ClientCredential::Pfx {
            pfx: v1::SecretText(STANDARD.encode(fixture!("aes.pfx"))),
            passphrase: Some(v1::SecretText("schlüssel".to_owned())),
            send_certificate: false,
            certificate: certificate.map(|text| String::from_utf8_lossy(text).into_owned()),
        };
        let said = credential(&pfx).err().map(|failure| failure.to_string());
        match refusal {
            Some(words) => assert!(said.as_ref().is_some_and(|it| it.contains(words)), "{said:?}"),
            None => assert_eq!(said, None),
        }
    }

    #[test]
    fn certificates_that_go_along_with_a_pfx_are_its_keys_own() {
        let (own, issuer) = (fixture!("certificate.pem"), fixture!("authority.pem"));
        check(None, None);
        check(Some(own), None);
        check(Some(&[&own[..], issuer].concat()), None);
        check(Some(issuer), Some("key"));
    }
}
