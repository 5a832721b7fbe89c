//! What one user has said, and is being asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, watch};
use valetkey_engine::ports::StoreError;
use valetkey_engine::{Attendant, Error};
use valetkey_model::{Partition, UnixTime};
use valetkey_policy::{Denial, Grant, Grants, ProgramKey, Word};
use valetkey_vault::RecordChange;

use super::prompt::{Answer, Asking, Prompt, Purpose, Waiting};
use super::record;
use crate::failure::Failure;
use crate::shutdown::ShutdownSignal;
use crate::store::VaultStore;

/// What one user has said, and is being asked.
pub struct Book {
    store: Arc<VaultStore>,
    /// Ends the waiting when the daemon ends.
    stop: ShutdownSignal,
    user: Partition,
    state: Mutex<State>,
    /// Tells those who show prompts that there is another one.
    asked: Arc<watch::Sender<()>>,
    /// Ends the waiting when the store is locked.
    is_closed: watch::Sender<bool>,
    /// One change at a time, saved before it is seen.
    writing: AsyncMutex<()>,
}

#[derive(Default)]
struct State {
    grants: Arc<Grants>,
    prompts: Vec<Arc<Prompt>>,
}

/// What an answer to a prompt came to.
pub enum Answered {
    /// It was passed on to all who wait.
    Told(Arc<Prompt>),
    /// There is no such prompt, or it was answered before.
    Unknown,
    /// Who asks does not answer.
    OwnAnswer,
    /// The program is known by its process alone, and what is to last longer was not offered.
    OutlivesProgram,
}

impl Book {
    pub(super) async fn load(
        store: Arc<VaultStore>,
        stop: ShutdownSignal,
        asked: Arc<watch::Sender<()>>,
        user: &Partition,
        refusals: Vec<Grant>,
    ) -> Result<Self, StoreError> {
        let records = store.read_records(&user.of_grants()).await?;
        let mut grants: Vec<_> =
            records.into_iter().filter_map(|(id, bytes)| record::decode(id, &bytes)).collect();
        grants.extend(refusals);
        grants.sort_by_key(|grant| grant.since);
        let state = State { grants: Arc::new(Grants::new(grants)), prompts: Vec::new() };
        Ok(Self {
            store,
            stop,
            user: user.clone(),
            state: Mutex::new(state),
            asked,
            is_closed: watch::Sender::default(),
            writing: AsyncMutex::default(),
        })
    }

    /// Whose it is.
    pub fn user(&self) -> &Partition {
        &self.user
    }

    /// What was said.
    pub fn grants(&self) -> Arc<Grants> {
        Arc::clone(&self.lock().grants)
    }

    /// Puts a question to the person, or joins those who wait for the same answer. What was answered is in the book then;
    /// what cannot be remembered of it is here.
    ///
    /// # Errors
    /// When nobody answers in time, too many questions wait already, or the daemon ends.
    pub async fn ask(
        &self,
        asking: &Asking,
        new_id: impl FnOnce() -> String,
        now: UnixTime,
    ) -> Result<Option<Grant>, Failure> {
        let mut waiting = self.join(asking, new_id, now)?;
        let (mut is_closed, mut stop) = (self.is_closed.subscribe(), self.stop.clone());
        let question = &asking.question;
        let answer = tokio::select! {
            answer = waiting.answer() => answer,
            // Whoever asks again finds another book, or a locked store.
            _ = is_closed.wait_for(|is_closed| *is_closed) => return Ok(None),
            () = stop.requested() => return Err(Error::ShuttingDown.into()),
            () = tokio::time::sleep(PATIENCE) => None,
        };
        let Some(answer) = answer else {
            return Err(Denial::Unanswered { username: question.username.clone() }.into());
        };
        match answer.word {
            Word::No if question.program == ProgramKey::Unknown => {
                let seconds = answer.seconds.map_or(0, i64::unsigned_abs);
                Err(Denial::Refused { username: question.username.clone(), seconds }.into())
            }
            Word::No => Ok(None),
            word if word != Word::Once && waiting.prompt().is_about(&question.program) => Ok(None),
            _ => Ok(Some(question.grant(Word::Once, String::new(), now, None))),
        }
    }

    fn join(
        &self,
        asking: &Asking,
        new_id: impl FnOnce() -> String,
        now: UnixTime,
    ) -> Result<Waiting, Denial> {
        let purpose = Purpose::of(asking);
        let mut state = self.lock();
        state.prompts.retain(|prompt| prompt.is_open(now));
        if let Some(prompt) = state.prompts.iter().find(|prompt| *prompt.purpose() == purpose) {
            return Ok(prompt.join(asking));
        }
        let is_of_program = |it: &Prompt| it.purpose().is_of_same_program(&purpose);
        let has_room = make_room(&mut state.prompts, is_of_program, MOST_PROMPTS_OF_PROGRAM)
            && make_room(&mut state.prompts, |_| true, MOST_PROMPTS);
        if !has_room {
            return Err(Denial::TooManyQuestions);
        }
        let prompt = Prompt::new(new_id(), asking, purpose, now);
        let waiting = prompt.join(asking);
        state.prompts.push(prompt);
        drop(state);
        self.asked.send_replace(());
        Ok(waiting)
    }

    /// What is being asked, once there is something or `patience` is over: what somebody waits for first, and of that the oldest.
    pub async fn prompts(
        &self,
        patience: Duration,
        now: impl Fn() -> UnixTime,
    ) -> Vec<Arc<Prompt>> {
        let mut asked = self.asked.subscribe();
        let look = async {
            loop {
                let open = self.open_prompts(now());
                if !open.is_empty() || asked.changed().await.is_err() {
                    return open;
                }
            }
        };
        tokio::time::timeout(patience, look).await.unwrap_or_default()
    }

    fn open_prompts(&self, now: UnixTime) -> Vec<Arc<Prompt>> {
        let mut state = self.lock();
        state.prompts.retain(|prompt| prompt.is_open(now));
        let mut open = state.prompts.clone();
        open.sort_by_key(|prompt| prompt.waiting() == 0);
        open
    }

    /// Resolves when there is nothing to be said to a prompt any more.
    pub async fn settled(&self, prompt: &Prompt) {
        let mut is_closed = self.is_closed.subscribe();
        tokio::select! {
            () = prompt.answered() => {}
            _ = is_closed.wait_for(|is_closed| *is_closed) => {}
            () = tokio::time::sleep(MOST_LIFE) => {}
        }
    }

    /// Answers a prompt, for all who wait for it.
    ///
    /// # Errors
    /// When what is to be remembered cannot be saved; then they go on waiting.
    pub async fn answer(
        &self,
        id: &str,
        answer: Answer,
        respondent: Option<&Attendant>,
        new_id: impl FnMut() -> String,
        now: UnixTime,
    ) -> Result<Answered, StoreError> {
        let open = self.open_prompts(now);
        let Some(prompt) = open.into_iter().find(|prompt| prompt.id == id) else {
            return Ok(Answered::Unknown);
        };
        if respondent.is_some_and(|it| prompt.is_asked_by(it)) {
            return Ok(Answered::OwnAnswer);
        }
        if answer.word.is_lasting() && !prompt.question.program.is_lasting() {
            return Ok(Answered::OutlivesProgram);
        }
        if answer.word != Word::Once {
            self.keep(prompt.grants(answer, new_id, now), now).await?;
        }
        Ok(if prompt.settle(answer) { Answered::Told(prompt) } else { Answered::Unknown })
    }

    /// Remembers what was said.
    ///
    /// # Errors
    /// When it cannot be saved; then nothing is remembered.
    pub async fn keep(&self, kept: Vec<Grant>, now: UnixTime) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        let before = self.grants();
        let mut grants: Vec<_> = before.iter().filter(|grant| grant.holds(now)).cloned().collect();
        for grant in &kept {
            grants.push(grant.clone());
            let program = grant.program.clone();
            drop_surplus(&mut grants, |it| it.program == program, MOST_GRANTS_OF_PROGRAM);
        }
        drop_surplus(&mut grants, |_| true, MOST_GRANTS);
        self.replace(&before, grants, &kept).await
    }

    /// Takes back those that `is_meant`; how many there were.
    ///
    /// # Errors
    /// When that cannot be saved; then all of them stay.
    pub async fn revoke(&self, is_meant: impl Fn(&Grant) -> bool) -> Result<usize, StoreError> {
        let _alone = self.writing.lock().await;
        let before = self.grants();
        let grants: Vec<_> = before.iter().filter(|grant| !is_meant(grant)).cloned().collect();
        let count = before.iter().len() - grants.len();
        self.replace(&before, grants, &[]).await?;
        Ok(count)
    }

    async fn replace(
        &self,
        before: &Grants,
        grants: Vec<Grant>,
        kept: &[Grant],
    ) -> Result<(), StoreError> {
        let is_gone = |grant: &&Grant| !grants.iter().any(|left| left.id == grant.id);
        let gone = before.iter().filter(is_gone).filter(|grant| record::encode(grant).is_some());
        let removed = gone.map(|grant| RecordChange::Remove { key: grant.id.clone() });
        let put = kept.iter().filter_map(|grant| {
            Some(RecordChange::Put { key: grant.id.clone(), value: record::encode(grant)? })
        });
        let changes: Vec<_> = removed.chain(put).collect();
        if !changes.is_empty() {
            self.store.save_records(self.user.of_grants(), changes).await?;
        }
        self.lock().grants = Arc::new(Grants::new(grants));
        Ok(())
    }

    /// Whether all that was said is in the store, and nothing is being asked.
    pub(super) fn is_stored(&self) -> bool {
        let state = self.lock();
        let mut grants = state.grants.iter();
        state.prompts.is_empty() && grants.all(|grant| record::encode(grant).is_some())
    }

    /// Ends the waiting: the store is locked.
    pub(super) fn close(&self) {
        self.is_closed.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is room for one more; questions that nobody waits for give way.
fn make_room(
    prompts: &mut Vec<Arc<Prompt>>,
    is_meant: impl Fn(&Prompt) -> bool,
    most: usize,
) -> bool {
    let count = |prompts: &[Arc<Prompt>]| prompts.iter().filter(|it| is_meant(it)).count();
    if count(prompts) >= most {
        prompts.retain(|prompt| !is_meant(prompt) || prompt.waiting() > 0);
    }
    count(prompts) < most
}

/// The oldest go, but what the person said in words goes last: sign-ins are made by programs, at providers of their own choice.
fn drop_surplus(grants: &mut Vec<Grant>, is_meant: impl Fn(&Grant) -> bool, most: usize) {
    let surplus = grants.iter().filter(|grant| is_meant(grant)).count().saturating_sub(most);
    let mut dropped = 0;
    for is_first_to_go in [Word::is_of_sign_in as fn(Word) -> bool, |_| true] {
        grants.retain(|grant| {
            let goes = dropped < surplus && is_meant(grant) && is_first_to_go(grant.word);
            dropped += usize::from(goes);
            !goes
        });
    }
}

/// How long a request waits for the person: shorter than clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// Beyond this nobody waits for an answer, unless somebody has come back for it.
const MOST_LIFE: Duration = Duration::from_secs(300 + 90);

/// More than this nobody reads.
const MOST_PROMPTS: usize = 64;
const MOST_PROMPTS_OF_PROGRAM: usize = 4;

/// Beyond this the oldest goes: a script that is started each minute leaves a grant for each of its processes.
const MOST_GRANTS: usize = 1024;
/// No program pushes out what was said about the others.
const MOST_GRANTS_OF_PROGRAM: usize = 64;
