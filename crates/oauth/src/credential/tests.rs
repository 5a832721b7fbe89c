//! Keys and certificates in every form, what is said of those that do not fit, and signatures checked by another program's
//! means: the verifier gets the public key and the text, and nothing of ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value, json};
use valetkey_model::ClientId;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/", $name))
    };
}

macro_rules! pfx {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/", $name)).as_slice()
    };
}

const KEY: &str = fixture!("key.pem");
const CERTIFICATE: &str = fixture!("certificate.pem");
const AUTHORITY: &str = fixture!("authority.pem");
const PASSPHRASE: Option<&str> = Some("schlüssel");

/// What OpenSSL says of the fixtures.
const FINGERPRINT: &str = "668d3ba5bdfd499b6365d0e30630c84e9d623b28e15c48ef109b135a1a5561dc";
const SHA1: &str = "7A:31:62:5E:C0:A0:13:A7:1D:30:4E:AC:03:19:93:9A:12:72:53:9E";
const X5T: &str = "ejFiXsCgE6cdME6sAxmTmhJyU54";
const X5T_S256: &str = "snIKIWNXhZMMnitpqGfHNvaFe804xAU_FgNqQCE7_7Q";
const NOT_BEFORE: UnixTime = UnixTime::from_seconds(1_795_329_947);
const NOT_AFTER: UnixTime = UnixTime::from_seconds(2_110_689_947);
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn secret(text: Option<&str>) -> Option<Secret> {
    text.map(|text| Secret::new(text.to_owned()))
}

fn from_pem(
    key: &str,
    passphrase: Option<&str>,
    certificate: Option<&str>,
    thumbprint: Option<&str>,
) -> Result<ClientCertificate, CredentialError> {
    ClientCertificate::from_pem(&PemCredential {
        private_key: &Secret::new(key.to_owned()),
        passphrase: secret(passphrase).as_ref(),
        certificate,
        thumbprint,
        send_certificate: true,
    })
}

fn from_pfx(pfx: &[u8], passphrase: Option<&str>) -> Result<ClientCertificate, CredentialError> {
    ClientCertificate::from_pfx(pfx, secret(passphrase).as_ref(), true)
}

#[test]
fn a_key_is_the_same_in_every_form() {
    fn check(form: &str, credential: Result<ClientCertificate, CredentialError>) {
        assert_eq!(credential.map(|it| it.fingerprint()), Ok(FINGERPRINT.to_owned()), "{form}");
    }
    let flat = KEY.replace('\n', "");
    let with_certificate = format!("Bag Attributes\r\n{CERTIFICATE}\r\n{KEY}");
    for (form, key, passphrase) in [
        ("PKCS#8", KEY, None),
        ("PKCS#8 and a passphrase that is not needed", KEY, PASSPHRASE),
        ("PKCS#1", fixture!("key.pkcs1.pem"), None),
        ("AES-256, PBKDF2 with SHA-256", fixture!("key.aes.pem"), PASSPHRASE),
        ("3DES, PBKDF2 with SHA-1", fixture!("key.3des.pem"), PASSPHRASE),
        ("scrypt", fixture!("key.scrypt.pem"), PASSPHRASE),
        ("without line breaks", &flat, None),
        ("after a certificate", &with_certificate, None),
    ] {
        check(form, from_pem(key, passphrase, Some(CERTIFICATE), None));
    }
    for (form, pfx, passphrase) in [
        ("PFX with AES-256", pfx!("aes.pfx"), PASSPHRASE),
        ("PFX with RC2 and 3DES", pfx!("rc2.pfx"), PASSPHRASE),
        ("PFX with an empty passphrase", pfx!("unlocked.pfx"), None),
        ("PFX with an empty passphrase that is given", pfx!("unlocked.pfx"), Some("")),
    ] {
        check(form, from_pfx(pfx, passphrase));
    }
}

#[test]
fn what_is_wrong_with_a_key_is_told_apart() {
    let damaged = KEY.replace("MII", "M!I");
    let cut = fixture!("key.aes.pem").replace("MII", "MIIA");
    // The thirteenth line of its text is in the middle of a prime.
    let mut lines: Vec<_> = fixture!("key.pkcs1.pem").lines().collect();
    let reversed: String = lines[13].chars().rev().collect();
    lines[13] = &reversed;
    let inconsistent = lines.join("\n");
    let openssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----";
    let small = CredentialError::KeyTooSmall { bits: 1024 };
    for (key, passphrase, expected) in [
        ("", None, CredentialError::NotPem),
        ("/etc/ssl/private/key.pem", None, CredentialError::NotPem),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", None, CredentialError::NotPem),
        (CERTIFICATE, None, CredentialError::NoPrivateKey),
        (&damaged, None, CredentialError::DamagedKey),
        (&cut, PASSPHRASE, CredentialError::DamagedKey),
        (&inconsistent, None, CredentialError::KeyRejected),
        (openssh, None, CredentialError::OpensshKey),
        (fixture!("key.aes.pem"), None, CredentialError::PassphraseMissing),
        (fixture!("key.aes.pem"), Some(""), CredentialError::PassphraseMissing),
        (fixture!("key.aes.pem"), Some("Schlüssel"), CredentialError::WrongPassphrase),
        (fixture!("key.scrypt.pem"), Some("wrong"), CredentialError::WrongPassphrase),
        (fixture!("key.legacy.pem"), PASSPHRASE, CredentialError::LegacyEncryption),
        (fixture!("key.pbes1.pem"), PASSPHRASE, CredentialError::UnsupportedEncryption),
        (fixture!("key.slow.pem"), PASSPHRASE, CredentialError::TooMuchWork),
        (fixture!("key.ec.pem"), None, CredentialError::NotRsa),
        (fixture!("key.1024.pem"), None, small),
    ] {
        let error = from_pem(key, passphrase, Some(CERTIFICATE), None).err();
        assert_eq!(error, Some(expected));
    }
}

#[test]
fn no_wrong_passphrase_passes_for_a_damaged_file() {
    // About one wrong passphrase in 256 leaves padding that looks right.
    for number in 0..300 {
        let error = from_pem(fixture!("key.3des.pem"), Some(&number.to_string()), None, None).err();
        assert_eq!(error, Some(CredentialError::WrongPassphrase), "{number}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_apart() {
    let base64: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
    let chain = format!("{AUTHORITY}{CERTIFICATE}");
    let cut = CERTIFICATE.replacen("MII", "MIIB", 1);
    let foreign = "a".repeat(40);
    let windows = format!("\u{200e}{}", SHA1.replace(':', " "));
    for (certificate, thumbprint, expected) in [
        (Some(CERTIFICATE), None, None),
        (Some(base64.as_str()), None, None),
        (Some(chain.as_str()), Some(SHA1), None),
        (None, Some(SHA1), None),
        (Some(CERTIFICATE), Some(windows.as_str()), None),
        (None, None, Some(CredentialError::CertificateMissing)),
        (Some(""), Some(""), Some(CredentialError::CertificateMissing)),
        (Some(KEY), None, Some(CredentialError::CertificateIsPrivateKey)),
        (Some("certificate.pem"), None, Some(CredentialError::UnreadableCertificate)),
        (Some(cut.as_str()), None, Some(CredentialError::UnreadableCertificate)),
        (Some(AUTHORITY), None, Some(CredentialError::KeyMismatch)),
        (None, Some("thumbprint"), Some(CredentialError::NotAThumbprint)),
        (None, Some(&SHA1[3..]), Some(CredentialError::NotAThumbprint)),
        (None, Some(FINGERPRINT), Some(CredentialError::NotAThumbprint)),
        (Some(CERTIFICATE), Some(foreign.as_str()), Some(CredentialError::ThumbprintMismatch)),
    ] {
        let error = from_pem(KEY, None, certificate, thumbprint).err();
        assert_eq!(error, expected, "{certificate:?} {thumbprint:?}");
    }
}

#[test]
fn what_is_wrong_with_a_pfx_is_told_apart() {
    for (pfx, passphrase, expected) in [
        (KEY.as_bytes(), None, CredentialError::NotPfx),
        (&pfx!("aes.pfx")[..1000], PASSPHRASE, CredentialError::NotPfx),
        (pfx!("aes.pfx"), None, CredentialError::PassphraseMissing),
        (pfx!("aes.pfx"), Some("wrong"), CredentialError::WrongPassphrase),
        (pfx!("rc2.pfx"), Some("wrong"), CredentialError::WrongPassphrase),
        (pfx!("without-key.pfx"), PASSPHRASE, CredentialError::PfxWithoutKey),
        (pfx!("without-certificate.pfx"), PASSPHRASE, CredentialError::PfxWithoutCertificate),
    ] {
        assert_eq!(from_pfx(pfx, passphrase).err(), Some(expected));
    }
}

#[test]
fn neither_debug_nor_an_error_shows_the_key() {
    let credential = from_pem(KEY, None, Some(CERTIFICATE), None).unwrap();
    assert_eq!(format!("{credential:?}"), format!("ClientCertificate({FINGERPRINT})"));
    let passphrase = secret(PASSPHRASE);
    let source = PemCredential {
        private_key: &Secret::new(KEY.to_owned()),
        passphrase: passphrase.as_ref(),
        certificate: None,
        thumbprint: None,
        send_certificate: false,
    };
    let shown = format!("{source:?} {:?}", ClientCertificate::from_pem(&source));
    assert!(!shown.contains("MII") && !shown.contains("schlüssel"), "{shown}");
}

#[test]
fn a_certificate_is_good_for_its_period_and_the_error_says_the_day() {
    let credential = from_pem(KEY, None, Some(CERTIFICATE), None).unwrap();
    assert_eq!(credential.not_after(), Some(NOT_AFTER));
    for (now, expected) in [
        (NOT_BEFORE, None),
        (NOT_AFTER, None),
        (
            NOT_BEFORE.plus_seconds(-1),
            Some("certificate is not valid before Sun, 22 Nov 2026 06:45:47 GMT"),
        ),
        (NOT_AFTER.plus_seconds(1), Some("certificate expired on Wed, 19 Nov 2036 06:45:47 GMT")),
    ] {
        let error = credential.check_validity(now).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }
    let unseen = from_pem(KEY, None, None, Some(SHA1)).unwrap();
    assert_eq!((unseen.not_after(), unseen.check_validity(NOW)), (None, Ok(())));
}

/// Signs, checks the signature with the certificate's key, and returns header and claims.
fn sign(
    credential: &ClientCertificate,
    for_adfs: bool,
    client_claims: Option<&Map<String, Value>>,
) -> (Value, Value) {
    let client_id = ClientId::new("app").unwrap();
    let audience = "https://login.example/token";
    let assertion = ClientAssertion { audience, client_id: &client_id, client_claims, for_adfs };
    let signed = credential.sign_client_assertion(&assertion, NOW, [0xff; 16]).unwrap();
    let (input, signature) = signed.token.expose().rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let header: Value = read(header);
    let algorithm: &dyn VerificationAlgorithm = match header["alg"].as_str() {
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    };
    let certificate = x509::read_certificates(CERTIFICATE).unwrap().remove(0);
    UnparsedPublicKey::new(algorithm, certificate.public_key())
        .verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .expect("the certificate's key made the signature");
    (header, read(payload))
}

#[test]
fn the_header_names_the_certificate_as_the_credential_and_the_provider_have_it() {
    let own: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
    let issuer: String = AUTHORITY.lines().filter(|line| !line.starts_with('-')).collect();
    let chain = format!("{AUTHORITY}{CERTIFICATE}");
    let ps256 = json!({"typ": "JWT", "alg": "PS256", "x5t#S256": X5T_S256});
    let rs256 = json!({"typ": "JWT", "alg": "RS256", "x5t": X5T});
    let with = |header: &Value, x5c: &[&str]| {
        let mut header = header.clone();
        header["x5c"] = json!(x5c);
        header
    };
    let by_certificate = from_pem(KEY, None, Some(&chain), None).unwrap();
    let by_thumbprint = from_pem(KEY, None, None, Some(SHA1)).unwrap();
    let by_both = from_pem(KEY, None, Some(&chain), Some(SHA1)).unwrap();
    let pfx = from_pfx(pfx!("aes.pfx"), PASSPHRASE).unwrap();
    let silent_pfx =
        ClientCertificate::from_pfx(pfx!("aes.pfx"), secret(PASSPHRASE).as_ref(), false).unwrap();
    let pfx_with_chain = pfx.clone().with_certificates(&chain).unwrap();
    for (credential, for_adfs, expected) in [
        (&by_certificate, false, with(&ps256, &[&own])),
        (&by_certificate, true, with(&rs256, &[&own])),
        (&by_thumbprint, false, rs256.clone()),
        (&by_thumbprint, true, rs256.clone()),
        (&by_both, false, with(&rs256, &[&own, &issuer])),
        (&pfx, false, with(&ps256, &[&own])),
        (&pfx, true, with(&rs256, &[&own])),
        (&silent_pfx, false, ps256.clone()),
        (&pfx_with_chain, false, with(&ps256, &[&own, &issuer])),
    ] {
        assert_eq!(sign(credential, for_adfs, None).0, expected);
    }
    let stranger = pfx.with_certificates(AUTHORITY).err();
    assert_eq!(stranger, Some(CredentialError::KeyMismatch));
}

/// The second of them has the length of SHA-256, which `x5t` is not for.
#[test]
fn a_thumbprint_is_encoded_as_msal_does_but_for_the_padding() {
    let vectors = include_str!("../../../../tests/vectors/msal/thumbprint.json");
    for vector in serde_json::from_str::<Vec<Value>>(vectors).unwrap() {
        let (hex, x5t) = (vector["hex"].as_str().unwrap(), vector["x5t"].as_str().unwrap());
        let credential = from_pem(KEY, None, None, Some(hex));
        let encoded = credential.map(|it| sign(&it, false, None).0["x5t"].clone());
        let expected = match hex.len() {
            40 => Ok(json!(x5t.trim_end_matches('='))),
            _ => Err(CredentialError::NotAThumbprint),
        };
        assert_eq!(encoded, expected, "{vector}");
    }
}

#[test]
fn an_assertion_is_for_ten_minutes_and_the_applications_claims_win() {
    let credential = from_pem(KEY, None, Some(CERTIFICATE), None).unwrap();
    let own = json!({
        "aud": "https://login.example/token",
        "iss": "app",
        "sub": "app",
        "iat": 1_800_000_000,
        "exp": 1_800_000_600,
        "jti": "ffffffff-ffff-4fff-bfff-ffffffffffff",
    });
    assert_eq!(sign(&credential, false, None).1, own);
    let more = json!({"client_ip": "192.0.2.7", "exp": 1_800_000_060});
    let mut expected = own;
    for (name, value) in more.as_object().unwrap() {
        expected[name] = value.clone();
    }
    assert_eq!(sign(&credential, false, more.as_object()).1, expected);
}

#[test]
fn an_assertion_is_sent_again_for_nine_minutes() {
    let signed =
        SignedAssertion { token: Secret::new(String::new()), good_until: NOW.plus_seconds(540) };
    for (after, good) in [(-1, false), (0, true), (539, true), (540, false), (600, false)] {
        assert_eq!(signed.is_good_at(NOW.plus_seconds(after)), good, "{after}");
    }
}
