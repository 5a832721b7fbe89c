//! What the person has said about programs and accounts, and what the person is asked: for those who administer it.

use std::sync::Arc;
use std::time::Duration;

use valetkey_engine::ports::StoreError;
use valetkey_engine::{Attendant, Error, EventAccount};
use valetkey_model::Partition;
use valetkey_policy::{Denial, Grant, Word};
use valetkey_proto::v1::{self, AuditAct, ErrorCode};

use super::Broker;
use crate::audit::Deed;
use crate::consent::{Answer, Answered, Book, Prompt};
use crate::failure::Failure;
use crate::session::Session;
use crate::{from_wire, to_wire};

impl Broker {
    /// What the caller's user has said.
    ///
    /// # Errors
    /// When a rule leaves that to others, or the store is locked.
    pub async fn list_grants(&self, session: &Session) -> Result<v1::Grants, Failure> {
        let book = self.administered(session).await?;
        let (user, now) = (self.user(session).await?, self.engine.now());
        let grants = book.grants();
        let holding = grants.iter().filter(|grant| grant.holds(now));
        let described = holding.map(|grant| {
            let username = user.username_of(&grant.environment, &grant.account);
            to_wire::grant(grant, username.as_deref())
        });
        Ok(v1::Grants { grants: described.collect() })
    }

    /// Takes back one grant, or all.
    ///
    /// # Errors
    /// When there is none of this id, a rule leaves that to others, or the store is locked or cannot be written.
    pub async fn revoke_grants(&self, session: &Session, id: Option<&str>) -> Result<(), Failure> {
        let book = self.administered(session).await?;
        let is_meant = |grant: &Grant| id.is_none_or(|id| grant.id == id);
        let user = self.user(session).await?;
        for grant in book.grants().iter().filter(|grant| is_meant(grant)) {
            self.engine.forget_all_sign_ins(&session.caller().partition, &grant.account);
        }
        let count = book.revoke(is_meant).await.map_err(Error::from)?;
        if let (Some(id), 0) = (id, count) {
            return Err(Failure::request(ErrorCode::UnknownGrant, format!("no grant {id:?}")));
        }
        let what = id.map_or_else(|| format!("all {count}"), str::to_owned);
        self.note(session, &Deed::new(AuditAct::GrantRevoked).because(&what));
        user.tell_grant_changed(self.engine.now(), None);
        Ok(())
    }

    /// What the person is asked, once there is something or `patience` is over.
    ///
    /// # Errors
    /// When a rule leaves that to others, or the store is locked.
    pub async fn list_prompts(
        &self,
        session: &Session,
        patience: Duration,
    ) -> Result<v1::Prompts, Failure> {
        let book = self.administered(session).await?;
        let prompts = book.prompts(patience, || self.engine.now()).await;
        // Who does not wait for a question only looks whether it is asked about itself.
        if !patience.is_zero() {
            prompts.iter().for_each(|prompt| prompt.set_seen(true));
        }
        Ok(v1::Prompts { prompts: prompts.iter().map(|prompt| to_wire::prompt(prompt)).collect() })
    }

    /// Passes on what the person has answered.
    ///
    /// # Errors
    /// When there is no such prompt, who answers is who asks, a rule leaves it to others, or it cannot be saved.
    pub async fn answer_prompt(
        &self,
        session: &Session,
        id: &str,
        request: &v1::AnswerPromptRequest,
    ) -> Result<(), Failure> {
        let book = self.administered(session).await?;
        let answer = from_wire::prompt_answer(request)?;
        let respondent = session.attendant();
        let answered = self.answer_in_book(&book, id, answer, Some(&respondent)).await;
        if let Err(Failure::Denied(denial)) = &answered {
            self.note_denial(session, denial);
        }
        answered
    }

    pub(super) async fn answer_in_book(
        &self,
        book: &Book,
        id: &str,
        answer: Answer,
        respondent: Option<&Attendant>,
    ) -> Result<(), Failure> {
        let (new_id, now) = (|| self.new_grant_id(), self.engine.now());
        match book.answer(id, answer, respondent, new_id, now).await.map_err(Error::from)? {
            Answered::Told(prompt) => {
                self.tell_of_answer(book, &prompt, answer.word).await;
                Ok(())
            }
            Answered::Unknown => {
                Err(Failure::request(ErrorCode::UnknownPrompt, format!("no prompt {id:?}")))
            }
            Answered::OwnAnswer => Err(Denial::OwnAnswer.into()),
            Answered::OutlivesProgram => Err(Failure::bad_member("answer", OUTLIVES)),
        }
    }

    /// A person types it, so that it is to look like no option.
    pub(super) fn new_grant_id(&self) -> String {
        format!("g{}", self.engine.new_id())
    }

    /// On record under the program that it is about.
    async fn tell_of_answer(&self, book: &Book, prompt: &Prompt, word: Word) {
        let act = match word {
            Word::No => AuditAct::ConsentRefused,
            _ => AuditAct::ConsentGiven,
        };
        let (question, now) = (&prompt.question, self.engine.now());
        let deed = Deed::new(act).to(&question.account).because(to_wire::word(word).describe());
        self.audit.note_about(book.user(), &prompt.program, &deed, now);
        if let Ok(user) = self.engine.user(book.user()).await {
            let account = EventAccount {
                id: question.account.clone(),
                environment: question.environment.clone(),
                username: question.username.as_str().into(),
            };
            user.tell_grant_changed(now, Some(account));
        }
    }

    async fn administered(&self, session: &Session) -> Result<Arc<Book>, Failure> {
        self.decide_on_own_administration(session).await?;
        Ok(self.open_book(&session.caller().partition).await.map_err(Error::from)?)
    }

    /// A user's book, which is locked with what is the user's.
    pub(super) async fn open_book(&self, user: &Partition) -> Result<Arc<Book>, StoreError> {
        self.engine.check_unlocked(user)?;
        let book = self.consent.book(user).await?;
        let locked_meanwhile = self.engine.check_unlocked(user);
        if locked_meanwhile.is_err() {
            self.consent.forget_user(user);
            self.engine.close_store(user).await;
        }
        locked_meanwhile.map(|()| book)
    }
}

const OUTLIVES: &str = "the program is known by its process alone, and what is said of it ends with that: `hours` and `always` cannot be";
