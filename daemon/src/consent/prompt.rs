//! One question to the person, and all who wait for its answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use valetkey_engine::Attendant;
use valetkey_model::{Parent, ScopeSet, UnixTime};
use valetkey_policy::{Grant, ProgramKey, Question, Word};
use valetkey_proto::v1::AuditedProgram;

/// Who asks, and what it looks like.
pub struct Asking {
    /// What is asked.
    pub question: Question,
    /// The program at the other end of the connection.
    pub attendant: Attendant,
    /// What the person is shown.
    pub program: AuditedProgram,
    /// The processes that it comes from.
    pub parents: Vec<Parent>,
}

/// What the person has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What.
    pub word: Word,
    /// For how many seconds, where that is said.
    pub seconds: Option<i64>,
}

/// A question, and all who wait for its answer.
pub struct Prompt {
    /// Unguessable.
    pub id: String,
    /// What was asked first; the others ask the same.
    pub question: Question,
    /// What the program looked like that asked first.
    pub program: AuditedProgram,
    /// When it was first asked.
    pub since: UnixTime,
    purpose: Purpose,
    is_seen: AtomicBool,
    askers: Mutex<Askers>,
    answer: watch::Sender<Option<Answer>>,
}

/// Two who ask with the same purpose are told the same.
#[derive(Clone, PartialEq)]
pub(super) struct Purpose {
    look: Look,
    /// What an interpreter says that it runs: a person who has read of one file has not read of another.
    script: Option<String>,
    environment: String,
    account: String,
    client_id: String,
    scopes: ScopeSet,
}

/// What a program looks like to the person. Of those that only their processes are known by, the ones that a shell or a
/// program has started fifty of look the same. Two of whom nothing is known look the same as well, and may be anybody: each has
/// a question of its own.
#[derive(Clone)]
enum Look {
    Known(ProgramKey),
    Unidentified { path: Option<String>, parents: Vec<(u32, String)> },
    Nobody(Attendant),
}

#[derive(Default)]
struct Askers {
    attendants: Vec<Attendant>,
    programs: Vec<ProgramKey>,
    waiting: usize,
    requests: u64,
}

/// A request that waits for the answer. Dropping it ends the wait.
pub(super) struct Waiting {
    prompt: Arc<Prompt>,
    answer: watch::Receiver<Option<Answer>>,
}

impl Purpose {
    pub(super) fn of(asking: &Asking) -> Self {
        let Asking { question, attendant, program, parents } = asking;
        let look = match &question.program {
            known @ ProgramKey::Executable { .. } => Look::Known(known.clone()),
            ProgramKey::Unknown => Look::Nobody(attendant.clone()),
            ProgramKey::Process(_) => Look::Unidentified {
                path: program.path.clone(),
                parents: parents.iter().map(|it| (it.number, it.name.clone())).collect(),
            },
        };
        Self {
            look,
            script: program.script.clone(),
            environment: question.environment.clone(),
            account: question.account.as_str().to_owned(),
            client_id: question.client_id.clone(),
            scopes: question.scopes.clone(),
        }
    }

    /// Whether they look the same to the person, who is not to be asked by one program without end.
    pub(super) fn is_of_same_program(&self, other: &Self) -> bool {
        let are_nobody = self.is_nobodys() && other.is_nobodys();
        are_nobody || self.look == other.look
    }

    fn is_nobodys(&self) -> bool {
        matches!(self.look, Look::Nobody(_))
    }
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one == other,
            (
                Self::Unidentified { path, parents },
                Self::Unidentified { path: other_path, parents: other_parents },
            ) => (path, parents) == (other_path, other_parents),
            (Self::Nobody(one), Self::Nobody(other)) => one.is_same_program(other),
            _ => false,
        }
    }
}

impl Prompt {
    pub(super) fn new(id: String, asking: &Asking, purpose: Purpose, since: UnixTime) -> Arc<Self> {
        Arc::new(Self {
            id,
            question: asking.question.clone(),
            program: asking.program.clone(),
            since,
            purpose,
            is_seen: AtomicBool::new(false),
            askers: Mutex::default(),
            answer: watch::Sender::new(None),
        })
    }

    pub(super) fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Whether it is worth the person's while: somebody waits, or may come back for the answer. Who is not known again does
    /// not, and who is known by its process alone only while that is there.
    pub(super) fn is_open(&self, now: UnixTime) -> bool {
        let is_young = now.seconds_since(self.since) < LINGERING_SECONDS;
        let may_come_back = match self.purpose.look {
            Look::Known(_) => is_young,
            Look::Unidentified { .. } => {
                is_young && self.lock().attendants.iter().any(Attendant::is_there)
            }
            Look::Nobody(_) => false,
        };
        self.answer.borrow().is_none() && (may_come_back || self.waiting() > 0)
    }

    pub(super) fn join(self: &Arc<Self>, asking: &Asking) -> Waiting {
        let mut askers = self.lock();
        askers.waiting += 1;
        askers.requests += 1;
        let program = &asking.question.program;
        if !askers.programs.contains(program) {
            askers.programs.push(program.clone());
        }
        let attendant = &asking.attendant;
        if !askers.attendants.iter().any(|known| known.is_same_program(attendant)) {
            askers.attendants.push(attendant.clone());
        }
        Waiting { prompt: Arc::clone(self), answer: self.answer.subscribe() }
    }

    /// Whether this program is one of those who ask, or cannot be told from one. Those that they have started are not: a
    /// terminal in an editor is a child of the editor's.
    pub(super) fn is_asked_by(&self, respondent: &Attendant) -> bool {
        let is_nameless = |it: &Attendant| TELLS_PROCESSES && it.process().is_none();
        let may_be = |it: &Attendant| {
            it.is_same_program(respondent) || is_nameless(it) && is_nameless(respondent)
        };
        self.lock().attendants.iter().any(may_be)
    }

    /// Whether the person's yes is about this program: the one that was shown. Those who look like it and have joined get by
    /// with this one answer.
    pub(super) fn is_about(&self, program: &ProgramKey) -> bool {
        *program != ProgramKey::Unknown && *program == self.question.program
    }

    /// What is to be remembered when this is the answer: a no of each program that asks.
    pub(super) fn grants(
        &self,
        answer: Answer,
        mut new_id: impl FnMut() -> String,
        now: UnixTime,
    ) -> Vec<Grant> {
        let until = answer.seconds.map(|seconds| now.plus_seconds(seconds));
        let programs = self.lock().programs.clone();
        let is_meant = |program: &ProgramKey| match answer.word {
            Word::No => *program != ProgramKey::Unknown,
            _ => self.is_about(program),
        };
        let meant = programs.into_iter().filter(is_meant);
        meant
            .map(|program| Grant {
                program,
                ..self.question.grant(answer.word, new_id(), now, until)
            })
            .collect()
    }

    /// Tells all who wait; false when they have been told.
    pub(super) fn settle(&self, answer: Answer) -> bool {
        self.answer.send_if_modified(|told| {
            let is_first = told.is_none();
            if is_first {
                *told = Some(answer);
            }
            is_first
        })
    }

    /// Resolves when all who wait have been told.
    pub(super) async fn answered(&self) {
        // The sender lives in `self`, so the channel cannot close meanwhile.
        let _ = self.answer.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether it is put to somebody.
    pub fn set_seen(&self, is_seen: bool) {
        self.is_seen.store(is_seen, Ordering::Relaxed);
    }

    /// Whether it was put to anybody.
    pub fn is_seen(&self) -> bool {
        self.is_seen.load(Ordering::Relaxed)
    }

    /// The processes that have asked.
    pub fn processes(&self) -> Vec<u32> {
        let askers = self.lock();
        askers.attendants.iter().filter_map(|it| Some(it.process()?.number)).collect()
    }

    /// How many requests have asked, waiting or not.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, Askers> {
        // Nothing under this lock can panic half-way.
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// What it waits for.
    pub(super) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// The answer, when there is one.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        // The sender lives in the prompt, so the channel cannot close meanwhile.
        let answered = self.answer.wait_for(Option::is_some).await;
        answered.ok().and_then(|answer| *answer)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.prompt.lock().waiting -= 1;
    }
}

/// Where no process is told, of no program, nobody could answer.
const TELLS_PROCESSES: bool = cfg!(any(target_os = "linux", target_os = "android", windows));

/// For so long a prompt stays although nobody waits for it: programs give up before people come back, and try again.
const LINGERING_SECONDS: i64 = 300;
