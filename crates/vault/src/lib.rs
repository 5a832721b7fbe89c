//! Durable, encrypted, crash-safe storage of small records.
//!
//! A [`Vault`] keeps records (a key and some bytes) in partitions. [`Vault::save`] returns when the
//! change is on the disk, sealed under the data key of its owner, which is itself wrapped by a key
//! from the operating system's keyring, a systemd credential, a passphrase or, if nothing better is
//! there, a file. All of these keys can be replaced while the store is in use. Start with [`open()`], which finds or creates the store and answers [`Opened`].
//!
//! It knows bytes, not tokens: it never looks into a record, never reads the clock, starts no
//! runtime, and does no network I/O beyond asking the keyring. Every call blocks; the daemon makes
//! them on a thread of its own. It does not protect against code that runs as the same user, and
//! it does not notice that the whole folder was put back to an older, consistent copy.
//!
//! The folder holds:
//!
//! | file | content |
//! |---|---|
//! | `vault.header` | format version, key provider and its parameters, the wrapped data keys; readable without any key (module `header`) |
//! | `vault.redb` | the records, each sealed by itself under a name that is a keyed hash (module `record`) |
//! | `vault.seen` | how many saves the database has seen, and its state when it was closed (module `last_seen`) |
//! | `vault.lock` | held while a vault is open; the one authority on who may touch the rest |
//! | `key-…` | the wrapping key, only with the file provider |
//! | `….damaged-<unix time>` | what could not be read, set aside for a person to look at |

mod data_keys;
mod database;
mod error;
mod fault;
mod header;
mod key;
mod last_seen;
mod loaded;
mod locked;
mod open;
mod options;
mod record;
mod rotate;
mod seal;
mod state_dir;
mod vault;

pub use error::{IoKind, KeyProblem, UnsafePath, VaultError};
pub use key::keyring::{Keyring, KeyringRefusal, SystemKeyring};
pub use key::passphrase::PassphraseCost;
pub use key::{KeyChoice, KeyProvider, KeyReport, UnknownKeyChoice};
pub use loaded::{Loaded, Record};
pub use locked::keys_in_swap;
pub use open::{Incident, LockedVault, Opened, is_passphrase, open};
pub use options::{OpenOptions, Randomness, RandomnessUnavailable, SystemRandomness};
pub use rotate::Upkeep;
pub use vault::{RecordChange, Vault};
