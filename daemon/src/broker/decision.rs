//! The policy's decision about a request, with what it needs to know: who asks, as far as rules look at that; whose tokens; and
//! what the person has said, or says now.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use valetkey_engine::{
    ClientApplication, Flow, FlowStatus, FoundAccount, SilentRequest, TokenAnswer, User,
};
use valetkey_model::{AccountId, Executable, Program, Unidentified};
use valetkey_policy::{
    Account, Asker, Authorized, Decision, Denial, Errand, Grant, Grants, ProgramKey, Purpose,
    Question, Subject, Word, decide, decide_on_account, decide_on_entry,
    decide_on_own_administration, is_running,
};
use valetkey_proto::v1::{AuditAct, AuditedProgram};

use super::Broker;
use super::declared::look_at_program;
use crate::audit::Deed;
use crate::configuration::InForce;
use crate::consent::{Asking, Book};
use crate::failure::Failure;
use crate::secrets::LATER_SECONDS;
use crate::session::Session;
use crate::to_wire;

/// Where nobody is asked.
static NO_GRANTS: LazyLock<Arc<Grants>> = LazyLock::new(Arc::default);

impl Broker {
    /// Decides about a request; the person is asked where the policy says so.
    ///
    /// # Errors
    /// The denial.
    pub(super) async fn decide<T: Subject>(
        &self,
        session: &Session,
        request: T,
    ) -> Result<Authorized<T>, Failure> {
        self.decide_by(session, &self.configuration.in_force(), request).await
    }

    pub(super) async fn decide_by<T: Subject>(
        &self,
        session: &Session,
        in_force: &InForce,
        mut request: T,
    ) -> Result<Authorized<T>, Failure> {
        let policy = in_force.policy();
        let asker = self.asker(session, in_force).await?;
        let mut once = None;
        loop {
            let grants = self.grants(in_force, &asker, once.take()).await?;
            match decide(policy, &asker, &grants, request, self.engine.now()) {
                Decision::Authorized(authorized) => return Ok(authorized),
                Decision::Denied(denial) => return Err(self.deny(session, denial)),
                Decision::Ask(question, back) => {
                    once = self.ask(session, in_force, &asker, &question).await?;
                    request = back;
                }
            }
        }
    }

    /// Decides about a silent request: where that depends on whose tokens it will be answered with, once more when this is
    /// known. What may not be asked for at all is told first.
    pub(super) async fn decide_on_silent(
        &self,
        session: &Session,
        user: &User,
        request: SilentRequest,
    ) -> Result<Authorized<SilentRequest>, Failure> {
        let in_force = self.configuration.in_force();
        let authorized = self.decide_by(session, &in_force, request).await?;
        if !in_force.policy().looks_at_accounts() {
            return Ok(authorized);
        }
        let sight = self.sight(session, &in_force).await?;
        let request = authorized.into_request();
        let app = Arc::clone(&request.app);
        let may_be = |account: &FoundAccount| sight.shows(&app, account);
        let request = self.engine.resolve_account(user, request, may_be).await?;
        self.decide_by(session, &in_force, request).await
    }

    /// Decides about a sign-in: by way of which program it is, is remembered whatever the policy looks at today.
    pub(super) async fn decide_on_sign_in<T: Subject>(
        &self,
        session: &Session,
        request: T,
    ) -> Result<Authorized<T>, Failure> {
        let in_force = self.configuration.in_force();
        self.described_asker(session, &in_force).await?;
        self.decide_by(session, &in_force, request).await
    }

    /// Takes note of an account that a program has brought by what it had in its hands; whether the token may go to it.
    ///
    /// # Errors
    /// When it may not.
    pub(super) async fn welcome(
        &self,
        session: &Session,
        (user, app): (&User, &ClientApplication),
        answer: &TokenAnswer,
    ) -> Result<(), Failure> {
        let in_force = self.configuration.in_force();
        if answer.account().is_some() {
            let asker = self.describe_asker(session, &in_force).await?;
            self.remember_sign_in(&asker, app, answer).await;
        }
        self.decide_on_answer(session, user, app, answer).await
    }

    /// Whether the token that a sign-in or a grant has brought may go to this program.
    ///
    /// # Errors
    /// When it may not.
    pub(super) async fn decide_on_answer(
        &self,
        session: &Session,
        user: &User,
        app: &ClientApplication,
        answer: &TokenAnswer,
    ) -> Result<(), Failure> {
        let in_force = self.configuration.in_force();
        let policy = in_force.policy();
        let Some(id) = answer.account().filter(|_| policy.looks_at_accounts()) else {
            return Ok(());
        };
        let application = app.definition().application();
        let environment = app.definition().authority.environment();
        let username = user.username_of(environment, id).unwrap_or_else(|| id.as_str().into());
        let account = Account { environment, id, username: &username };
        let purpose = Purpose { application, account, scopes: Some(answer.scopes()) };
        let asker = self.asker(session, &in_force).await?;
        let mut once = None;
        loop {
            let grants = self.grants(&in_force, &asker, once.take()).await?;
            match decide_on_account(policy, &asker, &grants, purpose, self.engine.now()) {
                Ok(None) => return Ok(()),
                Ok(Some(question)) => {
                    once = self.ask(session, &in_force, &asker, &question).await?;
                }
                Err(denial) => return Err(self.deny(session, denial)),
            }
        }
    }

    /// Whether the caller may have anything done at all.
    ///
    /// # Errors
    /// The denial.
    pub async fn decide_on_entry(&self, session: &Session, errand: Errand) -> Result<(), Failure> {
        self.configuration.keep_up(self.engine.now()).await;
        let in_force = self.configuration.in_force();
        let asker = self.asker(session, &in_force).await?;
        decide_on_entry(in_force.policy(), &asker, errand)
            .map_err(|denial| self.deny(session, denial))
    }

    /// Whether the caller may administer what is the user's.
    ///
    /// # Errors
    /// The denial.
    pub async fn decide_on_own_administration(&self, session: &Session) -> Result<(), Failure> {
        let in_force = self.configuration.look(self.engine.now()).await;
        let asker = self.described_asker(session, &in_force).await?;
        decide_on_own_administration(in_force.policy(), &asker)
            .map_err(|denial| self.deny(session, denial))
    }

    /// Where a flow stands for one of its callers: of an account that somebody else has signed in, the token is theirs only
    /// when the person says so.
    ///
    /// # Errors
    /// When the token may not go to this program.
    pub async fn settle_flow(
        &self,
        session: &Session,
        (user, flow): (&User, &Flow),
        status: &FlowStatus,
    ) -> Result<(), Failure> {
        let FlowStatus::Completed(answer) = status else { return Ok(()) };
        if let Some(beginner) = flow.take_beginner() {
            self.remember_sign_in(&beginner, &flow.app, answer).await;
        }
        self.decide_on_answer(session, user, &flow.app, answer).await?;
        self.note(session, &Deed::of(AuditAct::SignedIn, &flow.app).with(answer));
        Ok(())
    }

    /// By way of whom an account was signed in is a yes to that program, for the application that the person has signed in to.
    /// That it could not be kept costs a question.
    pub(super) async fn remember_sign_in(
        &self,
        asker: &Asker,
        app: &ClientApplication,
        answer: &TokenAnswer,
    ) {
        let definition = app.definition();
        let Some(account) = answer.account().filter(|_| definition.partition.is_none()) else {
            return;
        };
        if asker.program == ProgramKey::Unknown {
            return;
        }
        let environment = definition.authority.environment();
        let Ok(book) = self.open_book(asker.partition()).await else { return };
        let is_known = |grant: &Grant| {
            grant.word == Word::SignedIn
                && grant.program == asker.program
                && grant.account == *account
                && grant.environment == environment
                && grant
                    .client_id
                    .as_deref()
                    .is_none_or(|client_id| client_id == definition.client_id.as_str())
        };
        if book.grants().iter().any(is_known) {
            return;
        }
        let now = self.engine.now();
        let grant = Grant {
            id: self.new_grant_id(),
            program: asker.program.clone(),
            environment: environment.to_owned(),
            account: account.clone(),
            client_id: Some(definition.client_id.as_str().to_owned()),
            scopes: None,
            word: Word::SignedIn,
            since: now,
            until: None,
        };
        if let Err(error) = book.keep(vec![grant], now).await {
            tracing::info!(%error, "by way of whom an account was signed in could not be saved");
        }
    }

    /// Who signs an account out takes back what its sign-in meant. In a partition of the application's own it meant nothing.
    pub(super) async fn forget_sign_ins(
        &self,
        (user, app): (&User, &ClientApplication),
        account: &AccountId,
    ) {
        self.engine.forget_sign_ins(user, account);
        let definition = app.definition();
        if definition.partition.is_some() {
            return;
        }
        let environment = definition.authority.environment();
        let is_meant = |grant: &Grant| {
            grant.word == Word::SignedIn
                && grant.account == *account
                && grant.environment == environment
        };
        let Ok(book) = self.open_book(user.partition()).await else { return };
        if let Err(error) = book.revoke(is_meant).await {
            tracing::info!(%error, "grants of who has signed out could not be removed");
        }
    }

    /// Who asks, as far as the policy looks.
    pub(super) async fn asker(
        &self,
        session: &Session,
        in_force: &InForce,
    ) -> Result<Arc<Asker>, Failure> {
        if in_force.policy().looks_at_programs() {
            return self.described_asker(session, in_force).await;
        }
        let described = session.described_asker(in_force.epoch());
        Ok(described.unwrap_or_else(|| Arc::clone(session.asker())))
    }

    /// Who asks, whatever the policy looks at.
    pub(super) async fn described_asker(
        &self,
        session: &Session,
        in_force: &InForce,
    ) -> Result<Arc<Asker>, Failure> {
        if let Some(asker) = session.described_asker(in_force.epoch()) {
            return Ok(asker);
        }
        let asker = self.describe_asker(session, in_force).await?;
        session.describe_asker(in_force.epoch(), &asker);
        Ok(asker)
    }

    /// Who asks, looked at anew.
    pub(super) async fn describe_asker(
        &self,
        session: &Session,
        in_force: &InForce,
    ) -> Result<Arc<Asker>, Failure> {
        let caller = session.caller();
        let runs = match in_force.policy().programs() {
            named if named.is_empty() => named,
            named => self.find_running(session, named).await?,
        };
        let program = session.peer().describe();
        if in_force.policy().looks_at_programs() && was_not_looked_at(&program) {
            return Err(Failure::Later {
                description: "the policy looks at programs, and at the moment nobody can"
                    .to_owned(),
                seconds: LATER_SECONDS,
            });
        }
        Ok(Asker::new(caller, program, runs))
    }

    /// Those of the programs that the caller runs: what replaces a program, as an update does, is still the program.
    async fn find_running(
        &self,
        session: &Session,
        named: Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let caller = session.caller().clone();
        let look = move || {
            let found = named.into_iter().map(look_at_program);
            let found = found.filter(|program| is_running(program, &caller));
            found.map(|program| program.path).collect()
        };
        self.secrets.files().perform("[[rules]]", look).await.map_err(|error| Failure::Later {
            description: format!("the programs of [[rules]] cannot be looked at: {error}"),
            seconds: LATER_SECONDS,
        })
    }

    async fn grants(
        &self,
        in_force: &InForce,
        asker: &Asker,
        once: Option<Grant>,
    ) -> Result<Arc<Grants>, Failure> {
        if !in_force.policy().looks_at_accounts() {
            return Ok(Arc::clone(&NO_GRANTS));
        }
        let grants = self.book(asker).await?.grants();
        Ok(match once {
            Some(grant) => Arc::new(grants.with(grant)),
            None => grants,
        })
    }

    async fn book(&self, asker: &Asker) -> Result<Arc<Book>, Failure> {
        let book = self.open_book(asker.partition()).await;
        Ok(book.map_err(valetkey_engine::Error::from)?)
    }

    /// Asks the person. The process is looked at again afterwards: it may have become another program meanwhile, and is nobody
    /// from then on.
    async fn ask(
        &self,
        session: &Session,
        in_force: &InForce,
        asker: &Arc<Asker>,
        question: &Question,
    ) -> Result<Option<Grant>, Failure> {
        let asking = Asking {
            question: question.clone(),
            attendant: session.attendant(),
            program: to_wire::program(session.peer()),
            parents: session.peer().parents(),
        };
        let book = self.book(asker).await?;
        let answered = book.ask(&asking, || self.engine.new_id(), self.engine.now()).await;
        let once = answered.map_err(|refused| match refused {
            Failure::Denied(denial) => self.deny(session, denial),
            other => other,
        })?;
        if !looks_the_same(&asking.program, &to_wire::program(session.peer())) {
            let nobody = Asker { program: ProgramKey::Unknown, ..Asker::clone(asker) };
            session.describe_asker(in_force.epoch(), &Arc::new(nobody));
            return Err(self.deny(session, Denial::ProgramChanged));
        }
        Ok(once)
    }

    pub(super) fn deny(&self, session: &Session, denial: Denial) -> Failure {
        self.note_denial(session, &denial);
        denial.into()
    }
}

/// That says nothing of the program, which may be one that a rule names.
fn was_not_looked_at(program: &Program) -> bool {
    matches!(program.executable, Executable::Unidentified { why: Unidentified::NotLooked, .. })
}

/// Parents may end.
fn looks_the_same(one: &AuditedProgram, other: &AuditedProgram) -> bool {
    (&one.path, &one.unidentified, &one.sandbox)
        == (&other.path, &other.unidentified, &other.sandbox)
}
