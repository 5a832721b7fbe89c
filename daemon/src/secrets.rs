//! The credentials of declared applications: read from where the configuration says they are, when somebody who may use
//! such an application opens it. What is read goes to the engine and to nobody else; there is no verb that answers it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex as AsyncMutex;
use valetkey_engine::Error;
use valetkey_engine::ports::StoreError;
use valetkey_proto::v1::{ClientCredential, ErrorCode, SecretText};
use valetkey_safe_path::{PathError, Readers};
use zeroize::Zeroizing;

use crate::config::{CredentialConfig, SecretPlace};
use crate::configuration::Epoch;
use crate::failure::Failure;
use crate::file_work::{FileWork, FileWorkError};
use crate::store::VaultStore;

/// Where secrets are looked for.
pub struct Secrets {
    store: Arc<VaultStore>,
    /// systemd's `CREDENTIALS_DIRECTORY`.
    credentials_directory: Option<PathBuf>,
    files: FileWork,
    /// One change at a time, so that nobody takes the last place together with somebody else.
    keeping: AsyncMutex<()>,
    /// How long the secrets in the store stay what they are, by their names.
    epochs: Mutex<HashMap<String, Arc<Epoch>>>,
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error(transparent)]
    File(#[from] PathError),
    #[error("read the systemd credential {name}: {source}")]
    SystemdCredential { name: String, source: io::Error },
    #[error(
        "read the systemd credential {name}: the daemon has none; its unit can be given LoadCredentialEncrypted="
    )]
    NoSystemdCredentials { name: String },
    #[error("the store has no secret {name}; `valetkey apps secret {name}` sets it")]
    NotInVault { name: String },
    #[error("{0}")]
    Store(StoreError),
    #[error("the systemd credential {name} is longer than {LIMIT} bytes")]
    LongSystemdCredential { name: String },
    #[error("{0}")]
    NotRead(FileWorkError),
    #[error("it is no text")]
    NoText,
}

impl Secrets {
    /// Secrets in files, in `store` and in this directory of systemd's.
    pub fn new(store: Arc<VaultStore>, credentials_directory: Option<PathBuf>) -> Self {
        Self {
            store,
            credentials_directory,
            files: FileWork::default(),
            keeping: AsyncMutex::default(),
            epochs: Mutex::default(),
        }
    }

    /// For whatever else a declared application refers to.
    pub fn files(&self) -> &FileWork {
        &self.files
    }

    /// The credential of the declared application `app`, as a program would have brought it.
    ///
    /// # Errors
    /// With the part that cannot be had and why, and nothing of what is in it.
    pub async fn read_credential(
        &self,
        app: &str,
        config: &CredentialConfig,
    ) -> Result<ClientCredential, Failure> {
        let text = async |part, place| self.read_text(app, part, place).await;
        let credential = async {
            let passphrase = text("passphrase", config.passphrase.as_ref()).await?;
            if let Some(secret) = text("secret", config.secret.as_ref()).await? {
                return Ok(Some(ClientCredential::Secret { secret }));
            }
            if let Some(private_key) = text("private_key", config.private_key.as_ref()).await? {
                let certificate = text("certificate", config.certificate.as_ref()).await?;
                return Ok(Some(ClientCredential::PrivateKey {
                    private_key,
                    passphrase,
                    certificate: certificate.map(|certificate| certificate.0),
                    thumbprint: config.thumbprint.clone(),
                }));
            }
            let Some(place) = &config.pfx else { return Ok(None) };
            let file = self.read(app, place).await.map_err(|error| ("pfx", error))?;
            Ok(Some(ClientCredential::Pfx {
                pfx: SecretText(STANDARD.encode(&*file)),
                passphrase,
                send_certificate: config.send_certificate,
                certificate: None,
            }))
        };
        match credential.await {
            Ok(Some(credential)) => Ok(credential),
            Ok(None) => Err(refuse(app, "has none")),
            Err((_, SecretError::Store(error))) => Err(Failure::Engine(error.into())),
            Err((part, error)) => {
                let refusal = refuse(app, &format!("has a {part} that is not to be had: {error}"));
                Err(match error {
                    SecretError::NotRead(_) => refusal.for_now(LATER_SECONDS),
                    _ => refusal,
                })
            }
        }
    }

    /// How long those parts of the credential that are in the store stay what they are; to be asked before they are read.
    pub fn epochs(&self, config: &CredentialConfig) -> Vec<Arc<Epoch>> {
        let mut epochs = self.lock_epochs();
        let names = config.names_in_vault();
        names.map(|name| Arc::clone(epochs.entry(name.to_owned()).or_default())).collect()
    }

    /// Keeps a secret in the store under a name, or forgets it; whether that changed anything.
    ///
    /// # Errors
    /// When there are too many, or the store is locked or cannot be written.
    pub async fn keep(
        &self,
        name: &str,
        secret: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<bool, Failure> {
        let _alone = self.keeping.lock().await;
        let known = self.store.read_secret(name).await.map_err(Error::from)?;
        if known == secret {
            return Ok(false);
        }
        if known.is_none() && self.store.count_secrets().await.map_err(Error::from)? >= MOST {
            let text = format!(
                "the store has {MOST} secrets, and that is the limit; forget one with DELETE /v1/secrets/{{name}}"
            );
            return Err(Failure::request(ErrorCode::TooManyRequests, text));
        }
        self.store.keep_secret(name, secret).await.map_err(Error::from)?;
        if let Some(epoch) = self.lock_epochs().remove(name) {
            epoch.end();
        }
        Ok(true)
    }

    fn lock_epochs(&self) -> MutexGuard<'_, HashMap<String, Arc<Epoch>>> {
        // Nothing under this lock can panic half-way.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text without the line break that editors and `echo` leave at its end.
    async fn read_text(
        &self,
        app: &str,
        part: &'static str,
        place: Option<&SecretPlace>,
    ) -> Result<Option<SecretText>, (&'static str, SecretError)> {
        let Some(place) = place else { return Ok(None) };
        let bytes = self.read(app, place).await.map_err(|error| (part, error))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| (part, SecretError::NoText))?;
        Ok(Some(SecretText(text.trim_end_matches(['\r', '\n']).to_owned())))
    }

    async fn read(
        &self,
        app: &str,
        place: &SecretPlace,
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let from_file = async |read: Reading| {
            let read = self.files.perform(app, read).await.map_err(SecretError::NotRead)?;
            read.map(Zeroizing::new)
        };
        match place {
            SecretPlace::File(path) => {
                let path = path.clone();
                from_file(Box::new(move || {
                    Ok(valetkey_safe_path::read_bytes(&path, Readers::OwnGroup, LIMIT)?)
                }))
                .await
            }
            SecretPlace::SystemdCredential(name) => {
                let Some(directory) = self.credentials_directory.clone() else {
                    return Err(SecretError::NoSystemdCredentials { name: name.clone() });
                };
                let name = name.clone();
                from_file(Box::new(move || read_systemd_credential(&directory, name))).await
            }
            SecretPlace::Vault(name) => {
                let found = self.store.read_secret(name).await.map_err(SecretError::Store)?;
                found.ok_or_else(|| SecretError::NotInVault { name: name.clone() })
            }
        }
    }
}

/// systemd has put it where nobody but the service sees it, and has set its owner and mode.
fn read_systemd_credential(directory: &Path, name: String) -> Result<Vec<u8>, SecretError> {
    let mut content = Vec::with_capacity(LIMIT + 1);
    let read = File::open(directory.join(&name))
        .and_then(|file| file.take(LIMIT as u64 + 1).read_to_end(&mut content));
    match read {
        Err(source) => Err(SecretError::SystemdCredential { name, source }),
        Ok(length) if length > LIMIT => Err(SecretError::LongSystemdCredential { name }),
        Ok(_) => Ok(content),
    }
}

type Reading = Box<dyn FnOnce() -> Result<Vec<u8>, SecretError> + Send>;

fn refuse(app: &str, what: &str) -> Failure {
    let text = format!("the credential of [apps.{app}] in the daemon's configuration {what}");
    Failure::request(ErrorCode::InvalidCredential, text)
}

/// When to try again what a file system did not answer.
pub const LATER_SECONDS: u64 = 5;

/// How many secrets there may be: many times those that a configuration names.
const MOST: usize = 256;

/// How long a part of a credential may be, in bytes: many times the largest key with its chain of certificates.
pub const LIMIT: usize = 256 * 1024;
