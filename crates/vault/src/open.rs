//! Opening a store: what is in the folder decides what happens.
//!
//! | header | database | what happens |
//! |---|---|---|
//! | none | none | a new store |
//! | none | there | without its header it can never be read: set aside, a new store |
//! | damaged | any | both set aside, a new store |
//! | newer | any | refused, nothing touched |
//! | sound, no key | any | refused, nothing touched |
//! | sound | damaged | the database is set aside, an empty one under the same key |
//! | sound | none | an empty one under the same key |
//! | sound | sound | the store |
//!
//! All of it happens under the folder's lock, so that no two processes set aside each other's
//! fresh store. A key is only ever made together with a store id, and nothing kept under an older
//! id is overwritten.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::database::{DATABASE_NAME, Database, Found};
use crate::error::{KeyProblem, VaultError};
use crate::header::{HEADER_NAME, Header, HeaderFile, hex};
use crate::key::{CreateKeyError, KeyChoice, KeyProvider, KeyRecord, KeyReport, KeySource};
use crate::options::{OpenOptions, random};
use crate::record::RecordKeys;
use crate::seal::Key;
use crate::state_dir::{StateDir, StateLock};
use crate::vault::Vault;

/// A store that was found or made.
#[derive(Debug)]
pub enum Opened {
    /// Ready to use.
    Ready(Vault),
    /// It waits for its passphrase.
    Locked(LockedVault),
}

/// A store whose passphrase is not at hand. It holds the folder's lock.
#[derive(Debug)]
pub struct LockedVault {
    opening: Opening,
}

/// Something that was found wrong with a store and dealt with; for the log and `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incident {
    /// A file could not be used. It was kept under another name and begun anew.
    SetAside {
        /// What was wrong with it.
        reason: String,
        /// Where it is.
        path: PathBuf,
    },
    /// The store had a key but no records; someone removed the database.
    RecordsMissing,
    /// The newest saves are gone: the disk lost what it had confirmed.
    SavesLost {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { reason, path } => {
                write!(f, "a damaged file was set aside as {} ({reason})", path.display())
            }
            Self::RecordsMissing => f.write_str("the stored records were gone; begun anew"),
            Self::SavesLost { count } => {
                write!(
                    f,
                    "the disk lost the last {count} saves; some sign-ins may have to be redone"
                )
            }
        }
    }
}

/// Opens the store in a folder, or makes one.
pub fn open(options: &OpenOptions) -> Result<Opened, VaultError> {
    let dir = StateDir::prepare(&options.state_dir)?;
    let lock = Arc::new(dir.lock()?);
    Opening { options: options.clone(), dir, lock, incidents: Vec::new() }.proceed()
}

impl LockedVault {
    /// Opens the store with its passphrase, or makes a new store that has this one. `now` is the
    /// time in Unix seconds.
    pub fn unlock(&self, passphrase: Zeroizing<String>, now: u64) -> Result<Vault, VaultError> {
        let mut opening = self.opening.clone();
        opening.options.passphrase = Some(passphrase);
        opening.options.now = now;
        match opening.proceed()? {
            Opened::Ready(vault) => Ok(vault),
            Opened::Locked(_) => Err(VaultError::KeyUnavailable {
                provider: KeyProvider::Passphrase,
                reason: KeyProblem::NoPassphrase,
            }),
        }
    }

    /// What was found wrong so far.
    pub fn incidents(&self) -> &[Incident] {
        &self.opening.incidents
    }
}

#[derive(Clone)]
struct Opening {
    options: OpenOptions,
    dir: StateDir,
    lock: Arc<StateLock>,
    incidents: Vec<Incident>,
}

impl Opening {
    fn proceed(mut self) -> Result<Opened, VaultError> {
        match self.find_header()? {
            Some(header) => self.open_existing(header),
            None => self.create(),
        }
    }

    fn find_header(&mut self) -> Result<Option<Header>, VaultError> {
        let reason = match Header::read(&self.dir)? {
            HeaderFile::Sound(header) => return Ok(Some(header)),
            HeaderFile::Missing => "its header is gone",
            HeaderFile::Damaged => "the header is damaged",
        };
        // The database first: after a kill in between, the header is found damaged once more.
        self.set_aside(DATABASE_NAME, reason)?;
        self.set_aside(HEADER_NAME, reason)?;
        Ok(None)
    }

    fn open_existing(self, header: Header) -> Result<Opened, VaultError> {
        let provider = header.key.provider();
        match self.options.key {
            KeyChoice::Only(wanted) if wanted != provider => {
                return Err(VaultError::OtherProvider { recorded: provider, wanted });
            }
            _ => {}
        }
        if provider == KeyProvider::Passphrase && self.options.passphrase.is_none() {
            return Ok(Opened::Locked(LockedVault { opening: self }));
        }
        let source = self.key_source(&header.store_id);
        let unavailable = |reason| VaultError::KeyUnavailable { provider, reason };
        let wrapping_key = source.fetch(&header.key).map_err(unavailable)?;
        let data_key = header.unwrap_data_key(&wrapping_key).ok_or(match provider {
            KeyProvider::Passphrase => VaultError::WrongPassphrase,
            _ => unavailable(KeyProblem::WrongKey),
        })?;
        let report = source.report(&header.key);
        self.open_database(&data_key, report, true)
    }

    fn create(self) -> Result<Opened, VaultError> {
        let only_passphrase = KeyChoice::Only(KeyProvider::Passphrase);
        if self.options.key == only_passphrase && self.options.passphrase.is_none() {
            return Ok(Opened::Locked(LockedVault { opening: self }));
        }
        let store_id = hex(&random::<16>(&*self.options.randomness)?);
        let source = self.key_source(&store_id);
        let (record, wrapping_key, passed_over) = self.create_wrapping_key(&source)?;
        let report = KeyReport { passed_over, ..source.report(&record) };
        let written = Header::create(
            store_id.clone(),
            record.clone(),
            &wrapping_key,
            &*self.options.randomness,
        )
        .map_err(VaultError::from)
        .and_then(|(header, data_key)| header.write(&self.dir).map(|()| data_key));
        match written {
            Ok(data_key) => self.open_database(&data_key, report, false),
            Err(error) => {
                source.discard(&record);
                Err(error)
            }
        }
    }

    /// Makes a key with the first provider that works.
    fn create_wrapping_key(&self, source: &KeySource<'_>) -> Result<NewKey, VaultError> {
        let candidates = match self.options.key {
            KeyChoice::Auto => KeyProvider::ALL.to_vec(),
            KeyChoice::Only(provider) => vec![provider],
        };
        let mut passed_over = Vec::new();
        for provider in candidates {
            match source.create(provider) {
                Ok((record, key)) => return Ok((record, key, passed_over)),
                Err(CreateKeyError::Vault(error)) => return Err(error),
                Err(CreateKeyError::Provider(reason)) => {
                    if self.options.key != KeyChoice::Auto || is_a_mistake(&reason) {
                        return Err(VaultError::KeyUnavailable { provider, reason });
                    }
                    tracing::info!(%provider, %reason, "key provider passed over");
                    passed_over.push((provider, reason));
                }
            }
        }
        // The file provider comes last and either works or fails the whole.
        Err(VaultError::KeyUnavailable { provider: KeyProvider::File, reason: KeyProblem::Missing })
    }

    fn open_database(
        mut self,
        data_key: &Key,
        report: KeyReport,
        expected: bool,
    ) -> Result<Opened, VaultError> {
        let keys = || RecordKeys::derive(data_key);
        let mut found = Database::open(&self.dir, keys())?;
        if let Found::Damaged(reason) = &found {
            self.set_aside(DATABASE_NAME, reason)?;
        } else if matches!(found, Found::Missing) && expected {
            self.report(Incident::RecordsMissing);
        }
        if !matches!(found, Found::Sound { .. }) {
            Database::create(&self.dir, &keys())?;
            found = Database::open(&self.dir, keys())?;
        }
        let (database, saves_lost) = match found {
            Found::Sound { database, saves_lost } => (database, saves_lost),
            Found::Missing => return Err(VaultError::Damaged { detail: "it vanished".into() }),
            Found::Damaged(detail) => return Err(VaultError::Damaged { detail }),
        };
        if saves_lost > 0 {
            self.report(Incident::SavesLost { count: saves_lost });
        }
        let Self { options, lock, incidents, .. } = self;
        let randomness = options.randomness;
        Ok(Opened::Ready(Vault { database, randomness, report, incidents, _lock: lock }))
    }

    fn set_aside(&mut self, name: &str, reason: &str) -> Result<(), VaultError> {
        if let Some(path) = self.dir.set_aside(name, self.options.now)? {
            self.report(Incident::SetAside { reason: reason.to_owned(), path });
        }
        Ok(())
    }

    fn report(&mut self, incident: Incident) {
        tracing::warn!("{incident}");
        self.incidents.push(incident);
    }

    fn key_source<'a>(&'a self, store_id: &'a str) -> KeySource<'a> {
        KeySource { dir: &self.dir, store_id, options: &self.options }
    }
}

/// How the key is found again, the key, and the providers that did not work.
type NewKey = (KeyRecord, Key, Vec<(KeyProvider, KeyProblem)>);

/// Whether a person set the provider up and got it wrong, which must be said and not passed over.
fn is_a_mistake(problem: &KeyProblem) -> bool {
    matches!(
        problem,
        KeyProblem::TooShort { .. } | KeyProblem::EmptyPassphrase | KeyProblem::File(_)
    )
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("dir", &self.dir).finish_non_exhaustive()
    }
}
