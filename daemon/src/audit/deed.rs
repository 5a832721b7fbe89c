//! What a program did, before anything is allocated for it.

use std::hash::{Hash, Hasher};

use valetkey_engine::{ClientApplication, TokenAnswer};
use valetkey_model::{AccountId, UnixTime};
use valetkey_proto::v1::{AuditAct, AuditRecord, AuditedProgram};

/// What a program did.
pub struct Deed<'a> {
    act: AuditAct,
    app: Option<&'a ClientApplication>,
    account: Option<&'a AccountId>,
    answer: Option<&'a TokenAnswer>,
    detail: Option<&'a str>,
}

impl<'a> Deed<'a> {
    /// Something that is about no application.
    pub fn new(act: AuditAct) -> Self {
        Self { act, app: None, account: None, answer: None, detail: None }
    }

    /// With an application.
    pub fn of(act: AuditAct, app: &'a ClientApplication) -> Self {
        Self { app: Some(app), ..Self::new(act) }
    }

    /// To an account.
    pub fn to(self, account: &'a AccountId) -> Self {
        Self { account: Some(account), ..self }
    }

    /// With a token.
    pub fn with(self, answer: &'a TokenAnswer) -> Self {
        Self { account: answer.account(), answer: Some(answer), ..self }
    }

    /// Why, or to what.
    pub fn because(self, detail: &'a str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// What makes it another deed than one before: for a token that it is another one, else that time has passed.
    pub(super) fn hash_news(&self, now: UnixTime, hasher: &mut impl Hasher) {
        (self.act, self.app.map(ClientApplication::id), self.account, self.detail).hash(hasher);
        match (self.answer, self.pause()) {
            (Some(answer), _) => {
                // Its signature is at its end, or it is random all over.
                let token = answer.access_token().expose().as_bytes();
                token.rchunks(TELLING_BYTES).next().hash(hasher);
            }
            (None, Some(pause)) => (now.seconds() / pause).hash(hasher),
            (None, None) => now.seconds().hash(hasher),
        }
    }

    /// What programs may do in a loop is told once in so many seconds.
    fn pause(&self) -> Option<i64> {
        match self.act {
            AuditAct::ProofSigned => Some(3600),
            AuditAct::Denied => Some(60),
            _ => None,
        }
    }

    /// For the disk: whose accounts they are stands in the store alone.
    pub(super) fn record(&self, now: UnixTime, program: AuditedProgram) -> AuditRecord {
        let definition = self.app.map(ClientApplication::definition);
        let environment = definition.map(|definition| definition.authority.environment());
        AuditRecord {
            program: Some(program),
            app: definition.and_then(|definition| definition.declared_as.clone()),
            client_id: definition.map(|definition| definition.client_id.as_str().to_owned()),
            environment: environment.map(str::to_owned),
            home_account_id: self.account.map(|account| account.as_str().to_owned()),
            scope: self.answer.map(|answer| answer.scopes().target().to_owned()),
            expires_on: self.answer.map(|answer| answer.expires_on().seconds()),
            detail: self.detail.map(str::to_owned),
            ..AuditRecord::new(now.seconds(), self.act)
        }
    }
}

const TELLING_BYTES: usize = 32;
