//! Grants: what a person has answered about a program and an account, and how long that holds.

use valetkey_model::{AccountId, ScopeSet, UnixTime};

use crate::asker::ProgramKey;
use crate::subject::Purpose;

/// A person's word about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Unguessable, and the person's handle to it.
    pub id: String,
    /// About which program.
    pub program: ProgramKey,
    /// The provider's host.
    pub environment: String,
    /// About whose tokens.
    pub account: AccountId,
    /// Through which application, by its client id; through any when absent.
    pub client_id: Option<String>,
    /// For which scopes; for any when absent.
    pub scopes: Option<ScopeSet>,
    /// What the person said.
    pub word: Word,
    /// When.
    pub since: UnixTime,
    /// When it ends by itself.
    pub until: Option<UnixTime>,
}

/// What a person said, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// By signing the account in by way of this program.
    SignedIn,
    /// Yes, for good.
    Always,
    /// Yes, until the store is locked or the daemon ends.
    UntilLock,
    /// Yes, for some time.
    ForTime,
    /// Yes, to those who wait for the answer.
    Once,
    /// No, and do not ask for a while.
    No,
}

/// What is asked of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// About which program.
    pub program: ProgramKey,
    /// The provider's host.
    pub environment: String,
    /// About whose tokens.
    pub account: AccountId,
    /// What the person knows the account by.
    pub username: String,
    /// Through which application, by its client id.
    pub client_id: String,
    /// Its name in the configuration.
    pub app: Option<String>,
    /// For which scopes.
    pub scopes: ScopeSet,
}

/// The grants of one user.
#[derive(Clone, Debug, Default)]
pub struct Grants(Vec<Grant>);

impl Word {
    /// Whether it was said by a sign-in, not in words.
    pub fn is_of_sign_in(self) -> bool {
        self == Self::SignedIn
    }

    /// Whether it outlives the daemon.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::SignedIn | Self::Always | Self::ForTime)
    }
}

impl Question {
    /// None where nothing is to be handed out.
    pub(crate) fn new(program: &ProgramKey, purpose: Purpose<'_>) -> Option<Self> {
        let Purpose { application, account, scopes } = purpose;
        Some(Self {
            program: program.clone(),
            environment: account.environment.to_owned(),
            account: account.id.clone(),
            username: account.username.to_owned(),
            client_id: application.client_id.to_owned(),
            app: application.name.map(str::to_owned),
            scopes: scopes?.clone(),
        })
    }

    /// The person's word on it. A no is about the program and the account, whatever it would ask for next.
    pub fn grant(&self, word: Word, id: String, since: UnixTime, until: Option<UnixTime>) -> Grant {
        Grant {
            id,
            program: self.program.clone(),
            environment: self.environment.clone(),
            account: self.account.clone(),
            client_id: (word != Word::No).then(|| self.client_id.clone()),
            scopes: (word != Word::No).then(|| self.scopes.clone()),
            word,
            since,
            until,
        }
    }
}

impl Grant {
    fn is_about(&self, question: &Question, now: UnixTime) -> bool {
        self.is_about_use(question, now)
            && self.scopes.as_ref().is_none_or(|scopes| question.scopes.is_subset(scopes))
    }

    /// Whether it is about this use of the account, for whichever scopes.
    fn is_about_use(&self, question: &Question, now: UnixTime) -> bool {
        self.holds(now)
            && self.program == question.program
            && (self.program != ProgramKey::Unknown || self.word == Word::Once)
            && self.account == question.account
            && self.environment == question.environment
            && self.client_id.as_ref().is_none_or(|client_id| *client_id == question.client_id)
    }

    /// Whether its time is not over.
    pub fn holds(&self, now: UnixTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Grants {
    /// These.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Grant> {
        self.0.iter()
    }

    /// The same and one more.
    #[must_use]
    pub fn with(&self, grant: Grant) -> Self {
        Self(self.0.iter().cloned().chain([grant]).collect())
    }

    /// What the person said about this. A yes to it outlives a no that the program got when it asked for more.
    pub fn find(&self, question: &Question, now: UnixTime) -> Option<&Grant> {
        let about = || self.0.iter().rev().filter(|grant| grant.is_about(question, now));
        about().find(|grant| grant.word != Word::No).or_else(|| about().next())
    }

    /// All the scopes that the person has let the program have by this use of the account; `None` where that is any.
    pub(crate) fn allowed_scopes(&self, question: &Question, now: UnixTime) -> Option<ScopeSet> {
        let is_yes = |grant: &&Grant| grant.word != Word::No && grant.is_about_use(question, now);
        let mut said = self.0.iter().filter(is_yes).map(|grant| grant.scopes.as_ref());
        said.try_fold(None, |all: Option<ScopeSet>, scopes| {
            Some(Some(match (all, scopes?) {
                (None, scopes) => scopes.clone(),
                (Some(all), scopes) if scopes.is_subset(&all) => all,
                (Some(all), scopes) => all.union(scopes),
            }))
        })
        .map(Option::unwrap_or_default)
    }
}
