//! Keys and certificates: what is taken belongs together, and neither a key nor a passphrase is told when it is not.

use valetkey_model::Secret;
use valetkey_oauth::{ClientCertificate, PemCredential};

use crate::NOW;
use crate::input::{CANARY, Input, assert_error_silent, assert_silent};

/// One byte of options, a line for the passphrase, then a PFX; or lines for passphrase and thumbprint, then PEM.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let passphrase = String::from_utf8_lossy(input.line()).into_owned();
    let passphrase = Secret::new(passphrase);
    let sends = flags & 2 != 0;
    let parsed = match flags & 1 {
        0 => ClientCertificate::from_pfx(input.rest(), Some(&passphrase), sends),
        _ => {
            let thumbprint = String::from_utf8_lossy(input.line()).into_owned();
            let Some(text) = input.text() else { return };
            ClientCertificate::from_pem(&PemCredential {
                private_key: &Secret::new(text.to_owned()),
                passphrase: Some(&passphrase),
                certificate: Some(text).filter(|_| flags & 4 == 0),
                thumbprint: Some(thumbprint.as_str()),
                send_certificate: sends,
            })
        }
    };
    match parsed {
        Ok(credential) => check(&credential),
        Err(error) => assert_error_silent(&error),
    }
}

fn check(credential: &ClientCertificate) {
    let fingerprint = credential.fingerprint();
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(format!("{credential:?}"), format!("ClientCertificate({fingerprint})"));
    if let Err(error) = credential.check_validity(NOW) {
        assert_silent(error.to_string());
    }
    let has_certificate = credential.not_after().is_some();
    let other = credential.clone().with_certificates(CANARY);
    assert!(
        other.is_err(),
        "a text without a certificate replaces one; has one: {has_certificate}"
    );
}
