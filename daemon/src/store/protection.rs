//! What the vault's thread does to the keys: lock, unlock, replace them.
//!
//! A store with a passphrase that was locked waits for it. Any other could be opened by whoever may ask the daemon anything; that
//! it is locked keeps its keys and tokens out of the memory, and so out of an image of a machine that sleeps, until somebody asks
//! for it to be opened.

use valetkey_model::Secret;
use valetkey_proto::v1::ErrorCode;
use valetkey_vault::{self as vault, KeyChoice, KeyProvider, OpenOptions, VaultError};
use zeroize::Zeroizing;

use super::attempts::Attempt;
use super::worker::{State, Worker, explain, still_locked};
use crate::failure::Failure;

/// Which keys to replace, and by what.
#[derive(Default)]
pub struct Rotation {
    /// The wrapping key.
    pub wrapping: bool,
    /// The data keys.
    pub data: bool,
    /// Who is to keep the wrapping key; `None` is who keeps it.
    pub provider: Option<KeyProvider>,
    /// The one that the environment or the configuration names, if any: the key moves to no other.
    pub declared: Option<KeyProvider>,
    /// Whether that may be one who protects it less.
    pub accepts_weaker: bool,
    /// The passphrase that the store has.
    pub passphrase: Option<Secret>,
    /// The passphrase that it will have; `None` is the one that it has.
    pub new_passphrase: Option<Secret>,
}

/// Whether a rotation has left something to do.
#[derive(Default)]
pub(super) enum Upkeep {
    /// Perhaps.
    #[default]
    Due,
    Done,
    /// Not before this time: there was no room for it, or no keyring.
    FailedUntil(u64),
}

/// Seconds until what failed is tried again, when somebody asks for something.
const UPKEEP_PAUSE: u64 = 60;

impl Worker {
    pub(super) fn unlock(
        &mut self,
        passphrase: Zeroizing<String>,
        attempt: &Attempt,
    ) -> Result<(), Failure> {
        let locked = match &self.state {
            State::Ready(_) => return Ok(()),
            State::Closed(_) => return self.reopen(),
            State::Unavailable(_, reason) => return Err(still_locked(reason)),
            State::Locked(locked) => locked,
        };
        let vault = locked.unlock(passphrase, (self.now)()).map_err(|error| match error {
            VaultError::WrongPassphrase => {
                attempt.was_wrong((self.now)());
                still_locked("wrong passphrase").advising(TYPE_IT_AGAIN)
            }
            other => Failure::Engine(explain(&other).into()),
        })?;
        attempt.was_right();
        self.enter(State::Ready(vault));
        Ok(())
    }

    /// Opens a store that was locked and needs nobody for it.
    pub(super) fn reopen(&mut self) -> Result<(), Failure> {
        match &self.state {
            State::Ready(_) | State::Locked(_) => return Ok(()),
            State::Unavailable(_, reason) => return Err(still_locked(reason)),
            State::Closed(_) => {}
        }
        match self.try_open() {
            Ok(State::Unavailable(_, reason)) => Err(still_locked(&reason)),
            Ok(state) => {
                self.enter(state);
                Ok(())
            }
            Err(error) => Err(Failure::Engine(explain(&error).into())),
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.upkeep = Upkeep::Due;
        self.publish();
    }

    pub(super) fn check_passphrase(
        &self,
        passphrase: Zeroizing<String>,
        attempt: &Attempt,
    ) -> Result<(), Failure> {
        self.vault().map_err(|refusal| Failure::Engine(refusal.into()))?;
        match vault::is_passphrase(&self.options, passphrase) {
            Ok(true) => {
                attempt.was_right();
                Ok(())
            }
            Ok(false) => {
                attempt.was_wrong((self.now)());
                let wrong = Failure::request(ErrorCode::AccessDenied, "wrong passphrase");
                Err(wrong.advising("Type the passphrase that the store has."))
            }
            Err(error) => Err(Failure::Engine(explain(&error).into())),
        }
    }

    /// Closing the vault forgets its keys.
    pub(super) fn lock(&mut self) -> Result<(), Failure> {
        let provider = match &self.state {
            State::Ready(vault) => vault.key_report().provider,
            State::Locked(_) | State::Closed(_) => return Ok(()),
            State::Unavailable(provider, _) => provider.unwrap_or(KeyProvider::Keyring),
        };
        self.options.passphrase = None;
        // Dropped first: the store is opened by one at a time.
        self.state = State::Closed(provider);
        if provider == KeyProvider::Passphrase {
            self.state = self
                .try_open()
                .unwrap_or_else(|error| State::Unavailable(Some(provider), error.to_string()));
        }
        self.publish();
        Ok(())
    }

    pub(super) fn rotate(
        &mut self,
        rotation: Rotation,
        attempt: Option<&Attempt>,
    ) -> Result<(), Failure> {
        let vault = self.vault().map_err(|refusal| Failure::Engine(refusal.into()))?;
        if vault.is_sealing_anew() {
            let description = "records are still being sealed anew".to_owned();
            return Err(Failure::Later { description, seconds: 1 });
        }
        let current = vault.key_report().provider;
        let provider = rotation.provider.unwrap_or(current);
        if rotation.wrapping {
            self.check_rotation(&rotation, current, provider, attempt)?;
            self.rotate_wrapping_key(rotation.new_passphrase.or(rotation.passphrase), provider)?;
        }
        let now = (self.now)();
        if let State::Ready(vault) = &mut self.state
            && rotation.data
        {
            let rotated = vault.rotate_data_keys(None, now);
            rotated.map_err(|error| Failure::Engine(explain(&error).into()))?;
        }
        self.upkeep = Upkeep::Due;
        self.publish();
        Ok(())
    }

    fn check_rotation(
        &self,
        rotation: &Rotation,
        current: KeyProvider,
        provider: KeyProvider,
        attempt: Option<&Attempt>,
    ) -> Result<(), Failure> {
        let refused = |text: String| Err(Failure::request(ErrorCode::BadRequest, text));
        // What any program can ask for must not lock the owner out, or leave a store that the next start refuses.
        if provider != current && rotation.declared != Some(provider) {
            let text = format!(
                "provider: the key moves to where the configuration says alone; set `[vault] key` to `{provider}` \
                 (VALETKEY_KEY_PROVIDER goes before it), and ask again"
            );
            return Err(Failure::request(ErrorCode::AccessDenied, text));
        }
        if provider.is_weaker_than(current) && !rotation.accepts_weaker {
            return refused(format!(
                "weaker: a key of the {provider} protects less than one of the {current}, and this must be asked for"
            ));
        }
        let is_given =
            |text: &Option<Secret>| text.as_ref().is_some_and(|t| !t.expose().is_empty());
        match (provider, &rotation.new_passphrase) {
            (KeyProvider::Passphrase, Some(_)) if !is_given(&rotation.new_passphrase) => {
                return refused("new_passphrase: it is empty".to_owned());
            }
            (KeyProvider::Passphrase, None) if current != KeyProvider::Passphrase => {
                return refused("new_passphrase: missing".to_owned());
            }
            (KeyProvider::Passphrase, _) | (_, None) => {}
            (_, Some(_)) => {
                return refused(format!("new_passphrase: a key of the {provider} needs none"));
            }
        }
        match (current, &rotation.passphrase, attempt) {
            (KeyProvider::Passphrase, Some(passphrase), Some(attempt)) => {
                self.check_passphrase(Zeroizing::new(passphrase.expose().to_owned()), attempt)
            }
            (KeyProvider::Passphrase, ..) => {
                let text = "passphrase: missing; the store is protected by one, and so is this";
                Err(Failure::request(ErrorCode::AccessDenied, text))
            }
            _ => Ok(()),
        }
    }

    fn rotate_wrapping_key(
        &mut self,
        passphrase: Option<Secret>,
        provider: KeyProvider,
    ) -> Result<(), Failure> {
        let passphrase = passphrase.map(|text| Zeroizing::new(text.expose().to_owned()));
        let options = OpenOptions { passphrase, now: (self.now)(), ..self.options.clone() };
        let State::Ready(vault) = &mut self.state else { return Ok(()) };
        vault.rotate_wrapping_key(provider, &options).map_err(|error| match error {
            VaultError::KeyUnavailable { .. } => {
                Failure::request(ErrorCode::BadRequest, error.to_string()).advising(NOT_AT_HAND)
            }
            other => Failure::Engine(explain(&other).into()),
        })?;
        tracing::info!(%provider, "the store has another wrapping key");
        // What was asked for at the start was another key than this one.
        self.options.key = KeyChoice::Auto;
        self.options.passphrase = None;
        Ok(())
    }

    pub(super) fn has_upkeep(&self) -> bool {
        let is_due = match self.upkeep {
            Upkeep::Due => true,
            Upkeep::Done | Upkeep::FailedUntil(_) => false,
        };
        is_due && matches!(self.state, State::Ready(_))
    }

    /// A piece of what a rotation has left to do.
    pub(super) fn keep_up(&mut self) {
        if matches!(self.upkeep, Upkeep::FailedUntil(time) if (self.now)() >= time) {
            self.upkeep = Upkeep::Due;
        }
        let State::Ready(vault) = &mut self.state else { return };
        if !matches!(self.upkeep, Upkeep::Due) {
            return;
        }
        match vault.upkeep(&self.options) {
            Ok(vault::Upkeep::More) => return,
            Ok(vault::Upkeep::Done) => self.upkeep = Upkeep::Done,
            Err(error) => {
                tracing::warn!(%error, "a rotation of keys waits");
                self.upkeep = Upkeep::FailedUntil((self.now)() + UPKEEP_PAUSE);
            }
        }
        self.publish();
    }
}

const TYPE_IT_AGAIN: &str = "Try again with the passphrase that the store has; after several wrong ones, that takes a while.";

const NOT_AT_HAND: &str =
    "Nothing was changed. See that the provider is there for valetkeyd, or name another one.";
