//! What can be wrong with a credential, told apart because each asks its owner for something else. Nothing of the key, the
//! passphrase or the certificate is repeated.

use std::time::{Duration, SystemTime};

use valetkey_model::UnixTime;

use super::private_key::{MAX_ITERATIONS, MAX_SCRYPT_MIB};

/// Why a key and a certificate are no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Perhaps the file's name was given in the place of its content.
    #[error("private key is no PEM text")]
    NotPem,
    /// A certificate or a public key, perhaps.
    #[error("PEM text has no private key in it")]
    NoPrivateKey,
    /// No base64 between the lines that begin and end it, or no key in it.
    #[error("private key is damaged")]
    DamagedKey,
    /// OpenSSH has a form of its own.
    #[error("private key is in OpenSSH's form: convert it with `ssh-keygen -p -m PKCS8 -f FILE`")]
    OpensshKey,
    /// Encrypted, and nothing to open it with.
    #[error("private key is encrypted, and no passphrase was given")]
    PassphraseMissing,
    /// Encrypted under another passphrase.
    #[error("passphrase does not open the private key")]
    WrongPassphrase,
    /// `Proc-Type: 4,ENCRYPTED`: the key is hashed once with MD5, which is why OpenSSL left the form behind.
    #[error(
        "private key is encrypted in OpenSSL's old form: convert it with `openssl pkcs8 -topk8 -in OLD -out NEW`"
    )]
    LegacyEncryption,
    /// A passphrase that would be stretched for many seconds.
    #[error(
        "private key's passphrase is stretched more than {MAX_ITERATIONS} times (PBKDF2) or over more than {MAX_SCRYPT_MIB} MiB (scrypt): encrypt it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in OLD -out NEW`"
    )]
    TooMuchWork,
    /// A cipher that is out of use, or a PFX whose derivation would take many seconds.
    #[error(
        "private key's encryption is not supported: convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`, or a PFX by exporting it with AES-256 and no more than 1000000 iterations"
    )]
    UnsupportedEncryption,
    /// Entra and ADFS take RSA signatures alone here.
    #[error("private key is not an RSA key")]
    NotRsa,
    /// Below what NIST SP 800-131A allows since 2014.
    #[error("RSA key has {bits} bits, and 2048 are the least")]
    KeyTooSmall {
        /// What it has.
        bits: usize,
    },
    /// Parts that do not fit each other, or a size that nobody uses.
    #[error("RSA key is damaged, or not of 2048, 3072 or 4096 bits")]
    KeyRejected,
    /// The two files were mixed up.
    #[error("certificate's text is a private key")]
    CertificateIsPrivateKey,
    /// Neither PEM nor base64 of an X.509 certificate.
    #[error("certificate cannot be read")]
    UnreadableCertificate,
    /// The key of another certificate.
    #[error("private key does not belong to the certificate")]
    KeyMismatch,
    /// Perhaps SHA-256, which has 64 digits.
    #[error("thumbprint is not 40 hexadecimal digits, as SHA-1 has")]
    NotAThumbprint,
    /// The thumbprint of another certificate.
    #[error("thumbprint is not that of the certificate")]
    ThumbprintMismatch,
    /// The provider would not know whose signature it is.
    #[error("neither a certificate nor a thumbprint goes with the private key")]
    CertificateMissing,
    /// Not what PKCS#12 (RFC 7292) describes, or damaged.
    #[error("not a PFX (PKCS#12) file")]
    NotPfx,
    /// Exported without its private key, as Windows does unless told otherwise.
    #[error("PFX has no private key in it")]
    PfxWithoutKey,
    /// A key alone.
    #[error("PFX has no certificate in it")]
    PfxWithoutCertificate,
    /// The system has no random numbers, or a computation went wrong.
    #[error("signing failed")]
    SigningFailed,
}

/// Why a provider will refuse the certificate at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateValidityError {
    /// Or this machine's clock is slow.
    #[error("certificate is not valid before {}", format_date(*.not_before))]
    NotYetValid {
        /// Its first second.
        not_before: UnixTime,
    },
    /// A new one is needed, at the provider too.
    #[error("certificate expired on {}", format_date(*.not_after))]
    Expired {
        /// Its last second.
        not_after: UnixTime,
    },
}

fn format_date(time: UnixTime) -> String {
    let seconds = time.seconds().clamp(0, LAST_SECOND_OF_9999);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64))
}

/// No X.509 date is later, and `httpdate` panics at one.
const LAST_SECOND_OF_9999: i64 = 253_402_300_799;
