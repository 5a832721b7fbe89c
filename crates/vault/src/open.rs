//! Opening a store: what is in the folder decides what happens.
//!
//! | header | database | what happens |
//! |---|---|---|
//! | none | none | a new store |
//! | none | there | without its header it can never be read: set aside, a new store, under the rule below |
//! | damaged | any | both set aside, a new store, under the rule below |
//! | newer | any | refused, nothing touched |
//! | sound, no key | any | refused, nothing touched |
//! | sound | damaged | the database is set aside, an empty one under the same key |
//! | sound | none | an empty one under the same key |
//! | sound | sound | the store |
//!
//! A store that takes the place of a lost one is never protected less by itself: where nobody chose
//! a provider, it has the one that the damaged header still names, or else the best of all, or is
//! not begun. The damaged header stays until the new one is in its place, so that a kill in between
//! changes nothing about that.
//!
//! All of it happens under the folder's lock, so that no two processes set aside each other's
//! fresh store. A key is only ever made together with a store id, and nothing kept under an older
//! id is overwritten.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::data_keys::DataKeys;
use crate::database::{DATABASE_NAME, Database, Found};
use crate::error::{KeyProblem, VaultError};
use crate::header::{HEADER_NAME, Header, HeaderFile, hex};
use crate::key::{
    CreateKeyError, Generation, KeyChoice, KeyProvider, KeyRecord, KeyReport, KeySource,
};
use crate::locked::Key;
use crate::options::{OpenOptions, random};
use crate::state_dir::{StateDir, StateLock};
use crate::vault::{Held, Vault};

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
    /// A store can never be read again, and waits to be set aside until a new one can be begun.
    Unreadable {
        /// What is wrong with it.
        reason: &'static str,
        /// What is left of it.
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
            Self::Unreadable { reason, path } => {
                write!(
                    f,
                    "{} cannot be read ({reason}); a new store waits for its passphrase",
                    path.display()
                )
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

/// Whether this is the passphrase of the store in a folder, which may well be open. It is not where there is no store, or
/// where it has another provider.
pub fn is_passphrase(
    options: &OpenOptions,
    passphrase: Zeroizing<String>,
) -> Result<bool, VaultError> {
    let dir = StateDir::prepare(&options.state_dir)?;
    let HeaderFile::Sound(header) = Header::read(&dir)? else { return Ok(false) };
    let provider = header.key.provider();
    if provider != KeyProvider::Passphrase {
        return Ok(false);
    }
    let options = OpenOptions { passphrase: Some(passphrase), ..options.clone() };
    let source = KeySource { dir: &dir, store_id: &header.store_id, options: &options };
    let key = source
        .fetch(&header.key)
        .map_err(|reason| VaultError::KeyUnavailable { provider, reason })?;
    Ok(header.unwrap(&key).is_some())
}

impl LockedVault {
    /// Opens the store with its passphrase, or makes a new store that has this one. `now` is the
    /// time in Unix seconds.
    pub fn unlock(&self, passphrase: Zeroizing<String>, now: u64) -> Result<Vault, VaultError> {
        let mut opening = self.opening.clone();
        opening.incidents.clear();
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

    /// Whether there is no store yet, so that the passphrase which comes is the one that it will have.
    pub fn is_new(&self) -> bool {
        !matches!(Header::read(&self.opening.dir), Ok(HeaderFile::Sound(_)))
    }

    /// What was found wrong so far.
    pub fn incidents(&self) -> &[Incident] {
        &self.opening.incidents
    }
}

/// A store that is being opened.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) options: OpenOptions,
    pub(crate) dir: StateDir,
    pub(crate) lock: Arc<StateLock>,
    pub(crate) incidents: Vec<Incident>,
}

impl Opening {
    fn proceed(self) -> Result<Opened, VaultError> {
        let (recorded, name, reason) = match Header::read(&self.dir)? {
            HeaderFile::Sound(header) => return self.open_existing(header),
            HeaderFile::Missing if !self.dir.exists(DATABASE_NAME) => {
                let choice = self.options.key;
                return self.create(choice, None);
            }
            HeaderFile::Missing => (None, DATABASE_NAME, "its header is gone"),
            HeaderFile::Damaged(provider) => (provider, HEADER_NAME, "the header is damaged"),
        };
        let lost = Lost { path: self.dir.path(name), reason };
        match (self.options.key, recorded) {
            (KeyChoice::Auto, Some(provider)) => self.create(KeyChoice::Only(provider), Some(lost)),
            (KeyChoice::Auto, None) => {
                // What protected it is unknown, but not less than the best of all.
                let refused = VaultError::HeaderLost { path: lost.path.clone(), reason };
                let best = KeyChoice::Only(KeyProvider::ALL[0]);
                self.create(best, Some(lost)).map_err(|error| match error {
                    VaultError::KeyUnavailable { .. } => refused,
                    other => other,
                })
            }
            (chosen, _) => self.create(chosen, Some(lost)),
        }
    }

    fn open_existing(self, header: Header) -> Result<Opened, VaultError> {
        let provider = header.key.provider();
        match self.options.key {
            KeyChoice::Only(wanted) if wanted != provider => {
                let path = self.options.state_dir;
                return Err(VaultError::OtherProvider { path, recorded: provider, wanted });
            }
            _ => {}
        }
        if provider == KeyProvider::Passphrase && self.options.passphrase.is_none() {
            return Ok(Opened::Locked(LockedVault { opening: self }));
        }
        let source = self.key_source(&header.store_id);
        let unavailable = |reason| VaultError::KeyUnavailable { provider, reason };
        let wrapping_key = source.fetch(&header.key).map_err(unavailable)?;
        let keys = header.unwrap(&wrapping_key).ok_or(match provider {
            KeyProvider::Passphrase => VaultError::WrongPassphrase,
            _ => unavailable(KeyProblem::WrongKey),
        })?;
        let report = source.report(&header.key, header.made_at);
        let mut held = Held { header, wrapping_key, keys };
        if held.header.is_of_older_format() {
            // Before the first record that the older version could not read.
            held.write(held.keys.clone(), |_| {}, &self.dir, &*self.options.randomness)?;
        }
        self.open_database(held, report, true)
    }

    /// Makes a store, in the place of one that is lost if there was one.
    fn create(mut self, choice: KeyChoice, lost: Option<Lost>) -> Result<Opened, VaultError> {
        let only_passphrase = KeyChoice::Only(KeyProvider::Passphrase);
        if choice == only_passphrase && self.options.passphrase.is_none() {
            if let Some(Lost { path, reason }) = lost {
                self.report(Incident::Unreadable { reason, path });
            }
            return Ok(Opened::Locked(LockedVault { opening: self }));
        }
        let store_id = hex(&random::<16>(&*self.options.randomness)?);
        let source = self.key_source(&store_id);
        let (record, wrapping_key, passed_over) = self.create_wrapping_key(&source, choice)?;
        let report = KeyReport { passed_over, ..source.report(&record, Some(self.options.now)) };
        match self.write_header(&store_id, &record, wrapping_key, lost.as_ref()) {
            Ok((held, incidents)) => {
                incidents.into_iter().for_each(|incident| self.report(incident));
                if let Some(lost) = lost {
                    self.set_aside(DATABASE_NAME, lost.reason)?;
                }
                self.open_database(held, report, false)
            }
            Err(error) => {
                // A key that stays behind opens nothing.
                let _ = self.key_source(&store_id).discard(&record);
                Err(error)
            }
        }
    }

    /// Writes the header of a new store, over a damaged one if there is one, of which a copy is kept.
    fn write_header(
        &self,
        store_id: &str,
        record: &KeyRecord,
        wrapping_key: Key,
        lost: Option<&Lost>,
    ) -> Result<(Held, Option<Incident>), VaultError> {
        let randomness = &*self.options.randomness;
        let header = Header::new(store_id.to_owned(), record.clone(), self.options.now);
        let keys = DataKeys::create(randomness)?;
        let mut held = Held { header, wrapping_key, keys: keys.clone() };
        let kept = match lost {
            Some(Lost { reason, .. }) => {
                let copy = self.dir.copy_aside(HEADER_NAME, self.options.now)?;
                copy.map(|path| Incident::SetAside { reason: (*reason).to_owned(), path })
            }
            None => None,
        };
        held.write(keys, |_| {}, &self.dir, randomness)?;
        Ok((held, kept))
    }

    /// Makes a key with the first provider that works.
    fn create_wrapping_key(
        &self,
        source: &KeySource<'_>,
        choice: KeyChoice,
    ) -> Result<NewKey, VaultError> {
        let candidates = match choice {
            KeyChoice::Auto => KeyProvider::ALL.to_vec(),
            KeyChoice::Only(provider) => vec![provider],
        };
        let mut passed_over = Vec::new();
        for provider in candidates {
            match source.create(provider, Generation::default()) {
                Ok((record, key)) => return Ok((record, key, passed_over)),
                Err(CreateKeyError::Vault(error)) => return Err(error),
                Err(CreateKeyError::Provider(reason)) => {
                    if choice != KeyChoice::Auto || is_a_mistake(&reason) {
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
        held: Held,
        report: KeyReport,
        expected: bool,
    ) -> Result<Opened, VaultError> {
        let proof = held.keys.proof();
        let mut found = Database::open(&self.dir, &proof)?;
        if let Found::Damaged(reason) = &found {
            self.set_aside(DATABASE_NAME, reason)?;
        } else if matches!(found, Found::Missing) && expected {
            self.report(Incident::RecordsMissing);
        }
        if !matches!(found, Found::Sound { .. }) {
            Database::create(&self.dir, &proof)?;
            found = Database::open(&self.dir, &proof)?;
        }
        let (database, saves_lost) = match found {
            Found::Sound { database, saves_lost } => (database, saves_lost),
            Found::Missing => return Err(VaultError::Damaged { detail: "it vanished".into() }),
            Found::Damaged(detail) => return Err(VaultError::Damaged { detail }),
        };
        if saves_lost > 0 {
            self.report(Incident::SavesLost { count: saves_lost });
        }
        Ok(Opened::Ready(Vault::new(database, held, report, self)))
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

/// What is left of a store that can never be read again.
struct Lost {
    path: PathBuf,
    reason: &'static str,
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
