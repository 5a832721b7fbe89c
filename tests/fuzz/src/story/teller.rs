//! Does what a step says, and sees whether all is as it must be.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use valetkey_cache::{Entry, TokenCache};
use valetkey_engine::{
    AccountSelector, ClientApplication, Error, ExportCacheRequest, ImportCacheRequest,
    SilentRequest, TokenAnswer,
};
use valetkey_model::{Confinement, Program, Unidentified};
use valetkey_policy::{Asker, Policy, decide_on_cache};
use valetkey_testkit::http::{On, Reply, html, status};
use valetkey_testkit::world::{TestWorld, settle};

use super::step::{CLIENTS, Errand, Fault, Question, Step, UIDS};

/// The cache's name for the provider, and for its tenant.
const HOST: &str = "login.microsoftonline.com";
const REALM: &str = "contoso";

/// A world, and what is known of it from outside.
pub(super) struct Teller {
    world: TestWorld,
    /// Who got each token first.
    given: HashMap<String, u32>,
    /// Whose each token is that was taken over.
    imported: HashMap<String, Errand>,
    imports: usize,
    /// How many sign-ins may have lost the successor of a refresh token.
    lost: usize,
}

impl Teller {
    pub(super) fn new() -> Self {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.refresh_in = Some(1800));
        Self { world, given: HashMap::new(), imported: HashMap::new(), imports: 0, lost: 0 }
    }

    pub(super) async fn take(&mut self, step: Step) {
        self.act(step).await;
        settle().await;
        let (stolen, lost) = (self.world.entra.stolen(), self.lost);
        assert!(stolen <= lost, "a refresh token was used twice: {stolen} times, {lost} were lost");
        assert_eq!(self.world.http.clashes(), 0, "a refresh token was sent twice at once");
        self.check_partitions();
        self.check_disk();
    }

    async fn act(&mut self, step: Step) {
        match step {
            Step::SignIn(errand) => self.sign_in(errand).await,
            Step::Ask(questions) => self.ask((*questions).into_iter().flatten().collect()).await,
            Step::AskOne(question) => self.ask(vec![question]).await,
            Step::Advance(span) => self.world.clock.advance(span.seconds()).await,
            Step::SetBack(span) => {
                let now = self.world.engine.now();
                self.world.clock.set(now.plus_seconds(-span.seconds()));
            }
            Step::SignOut(errand) => self.sign_out(errand).await,
            Step::EndSignIns(errand) => self.world.entra.end_sign_ins_of(errand.person),
            Step::Fail(fault) => self.fail(fault),
            Step::SetDisk { works: true } => self.world.store.recover(),
            Step::SetDisk { works: false } => self.world.store.fill_disk(),
            Step::Rotate(rotates) => self.world.entra.change_manners(|it| it.rotates = rotates),
            Step::Family { size } => {
                let size = usize::from(size) % (CLIENTS.len() + 1);
                let family = CLIENTS[..size].iter().map(|it| (*it).to_owned()).collect();
                self.world.entra.change_manners(|it| it.family = family);
            }
            Step::Import { errand, access_token, refresh_token } => {
                self.import(errand, access_token, refresh_token).await;
            }
            Step::Lock => {
                if self.world.lock().await.is_ok() {
                    self.world.store.recover();
                }
            }
            Step::Unload(errand) => {
                let world = self.world.as_uid(errand.uid);
                world.engine.unload(world.partition()).await;
            }
            // What a full disk did not take is in memory alone, and no broker can save it from a kill.
            Step::Restart | Step::KillBeforeSave(_) if self.world.store.is_failing() => {}
            Step::Restart => {
                self.world.engine.save_unsaved().await;
                self.world.restart();
            }
            Step::KillBeforeSave(question) => self.kill_before_save(question).await,
        }
    }

    async fn sign_in(&mut self, errand: Errand) {
        let (world, app) = self.place(errand).await;
        let outcome = world.try_sign_in(&app, errand.person, errand.scopes).await;
        self.check(errand, &outcome);
        if let Ok(TokenAnswer::Issued(token)) = outcome {
            let refresh_token = token.access_token.expose().replace("at-", "rt-");
            let kept = world.store.refresh_tokens(world.partition());
            assert!(kept.contains(&refresh_token), "answered before it was saved");
        }
    }

    /// All ask while the provider takes its time, so that whatever can overlap does.
    async fn ask(&mut self, questions: Vec<Question>) {
        let gate = self.world.http.hold(On::refresh());
        let mut callers = Vec::new();
        for question in &questions {
            callers.push(self.spawn_ask(*question).await);
        }
        settle().await;
        let (held, kinds) = (gate.held(), questions.iter().collect::<HashSet<_>>().len());
        assert!(held <= kinds, "{held} flights for {kinds} kinds of question");
        gate.open();
        for (question, caller) in questions.into_iter().zip(callers) {
            let outcome = caller.await.expect("who asks does not panic");
            self.check(question.errand, &outcome);
        }
    }

    async fn spawn_ask(&self, question: Question) -> JoinHandle<Result<TokenAnswer, Error>> {
        let errand = question.errand;
        let (world, app) = self.place(errand).await;
        let request = SilentRequest {
            account: AccountSelector::Named(errand.username()),
            force_refresh: question.force_refresh,
            claims_challenge: question.challenge(),
            ..world.request(&app, errand.scopes)
        };
        tokio::spawn(async move { world.ask(request).await })
    }

    /// Of the account nothing is left that this application could use, on the disk or elsewhere.
    async fn sign_out(&mut self, errand: Errand) {
        let (world, app) = self.place(errand).await;
        if world.sign_out(&app, errand.person).await.is_err() {
            return;
        }
        assert!(!world.accounts(&app).await.contains(&errand.username()));
        let (home, client) = (errand.home_account_id(), errand.client);
        for entry in world.store.entries(world.partition()) {
            let left = match &entry {
                Entry::RefreshToken(token) => {
                    let is_clients =
                        token.client_id.as_ref().is_some_and(|it| it.as_str() == client);
                    token.home_account_id.as_ref().filter(|_| is_clients)
                }
                Entry::AccessToken(token) => token.home_account_id.as_ref(),
                Entry::IdToken(token) => token.home_account_id.as_ref(),
                Entry::Account(account) => Some(&account.home_account_id),
                _ => None,
            };
            assert!(left.is_none_or(|it| it.as_str() != home), "{} is left", entry.key());
        }
        let account = AccountSelector::Named(errand.username());
        let request = SilentRequest { account, ..world.request(&app, errand.scopes) };
        assert!(world.ask(request).await.is_err(), "signed out, and still has a token");
    }

    fn fail(&mut self, fault: Fault) {
        let reply = match fault {
            Fault::Offline => Reply::offline(),
            Fault::Unavailable => status(503),
            Fault::Throttled => status(429).header("retry-after", "120"),
            Fault::Page => html(),
            Fault::Lost => {
                self.lost += 1;
                Reply::Lost
            }
            Fault::Dead => Reply::refusal("invalid_grant"),
            Fault::NeedsPerson => Reply::refusal("interaction_required"),
        };
        self.world.http.script_once(On::refresh(), reply);
    }

    async fn import(&mut self, errand: Errand, access_token: bool, refresh_token: bool) {
        let world = self.world.as_uid(errand.uid);
        self.imports += 1;
        let number = self.imports;
        let now = world.engine.now();
        let credential = |kind: &str, secret: String| {
            json!({
                "credential_type": kind, "secret": secret, "environment": HOST,
                "home_account_id": errand.home_account_id(), "client_id": errand.client,
                "target": errand.scopes, "realm": REALM,
                "token_type": "Bearer", "cached_at": now.to_string(),
                "expires_on": now.plus_seconds(3600).to_string(),
                "last_modification_time": now.to_string(),
            })
        };
        let account = json!({
            "home_account_id": errand.home_account_id(), "environment": HOST, "realm": REALM,
            "username": errand.username(), "authority_type": "MSSTS",
        });
        let mut sections = Map::from_iter([("Account".to_owned(), json!({ "k": account }))]);
        let mut put = |kind: &str, secret| {
            sections.insert(kind.to_owned(), json!({ "k": credential(kind, secret) }));
        };
        if access_token {
            let secret = format!("imported-{number}");
            self.imported.insert(secret.clone(), errand);
            put("AccessToken", secret);
        }
        if refresh_token {
            put("RefreshToken", format!("rt-imported-{number}"));
        }
        let entries = TokenCache::entries_from_msal_sections(sections).expect("a sound cache");
        let request = ImportCacheRequest { entries };
        let authorized = decide_on_cache(&Policy::of_user(), &administrator(&world), request)
            .expect("nothing forbids it");
        let user = world.user().await;
        let outcome = world.engine.import_cache(&user, authorized).await;
        assert!(!matches!(outcome, Err(Error::Bug(_))));
    }

    /// Everything that waits to be saved is gone.
    async fn kill_before_save(&mut self, question: Question) {
        self.world.engine.save_unsaved().await;
        let before = self.world.http.count(&On::refresh());
        self.world.store.gate.close();
        drop(self.spawn_ask(question).await);
        settle().await;
        self.lost += self.world.http.count(&On::refresh()) - before;
        self.world.restart();
        self.world.store.gate.open();
    }

    async fn place(&self, errand: Errand) -> (TestWorld, Arc<ClientApplication>) {
        let world = self.world.as_uid(errand.uid);
        let app = world.app(errand.client).await;
        (world, app)
    }

    /// The token is for whom it was asked, and good for what, and still.
    fn check(&mut self, errand: Errand, outcome: &Result<TokenAnswer, Error>) {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(Error::Bug(defect)) => panic!("{defect}"),
            Err(_) => return,
        };
        assert!(answer.expires_on() > self.world.engine.now(), "an expired token is given");
        let token = answer.access_token().expose();
        let (person, client, scopes) = match self.imported.get(token) {
            Some(of) => (of.person.to_owned(), of.client.to_owned(), of.scopes.to_owned()),
            None => {
                let holder = self.world.entra.holder_of(token).expect("a token that was issued");
                (holder.person, holder.client, holder.scopes)
            }
        };
        assert_eq!((person.as_str(), client.as_str()), (errand.person, errand.client));
        let granted: HashSet<_> = scopes.split(' ').collect();
        assert!(errand.scopes.split(' ').all(|it| granted.contains(it)), "{scopes:?} are too few");
        let first = *self.given.entry(token.to_owned()).or_insert(errand.uid);
        assert_eq!(first, errand.uid, "the token was another user's of the machine");
    }

    /// What is stored for one user of the machine is stored for nobody else.
    fn check_partitions(&self) {
        let [one, other] = UIDS.map(|uid| {
            let world = self.world.as_uid(uid);
            let entries = world.store.entries(world.partition());
            entries.iter().filter_map(secret_of).collect::<HashSet<_>>()
        });
        assert!(one.is_disjoint(&other), "a token is stored for two users of the machine");
    }

    /// Where everything could be saved, the disk has what is in memory.
    fn check_disk(&self) {
        for uid in UIDS {
            let world = self.world.as_uid(uid);
            let Some(user) = world.engine.find_user(world.partition()) else { continue };
            if world.store.is_failing() || user.unsaved() > 0 {
                continue;
            }
            let policy = Policy::of_user();
            let authorized = decide_on_cache(&policy, &administrator(&world), ExportCacheRequest);
            let memory = world.engine.export_cache(&user, &authorized.expect("nothing forbids it"));
            let disk = TokenCache::msal_json_of(world.store.entries(world.partition()).into_iter());
            let [memory, disk] = [&memory, &disk]
                .map(|json| serde_json::from_str::<Value>(json).expect("a cache is JSON"));
            assert_eq!(memory, disk, "memory and disk differ");
        }
    }
}

/// One that is known to be in no sandbox.
fn administrator(world: &TestWorld) -> Arc<Asker> {
    let program = Program::unidentified(None, Unidentified::Hidden, Confinement::Free);
    Asker::new(&world.caller, program, Vec::new())
}

fn secret_of(entry: &Entry) -> Option<String> {
    match entry {
        Entry::AccessToken(token) => Some(token.secret.expose().to_owned()),
        Entry::RefreshToken(token) => Some(token.secret.expose().to_owned()),
        _ => None,
    }
}
