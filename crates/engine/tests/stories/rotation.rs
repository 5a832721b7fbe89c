//! Whatever people, applications, clocks, disks and kills do, in whatever order: no token goes astray, what was answered is
//! on the disk, and a provider that takes a second use of a refresh token for theft never sees one.

use std::sync::Arc;

use proptest::prelude::*;
use valetkey_engine::{AccountSelector, ClientApplication, Error, SilentRequest, TokenAnswer};
use valetkey_testkit::http::On;
use valetkey_testkit::world::{TestWorld, run, settle};

const PEOPLE: [&str; 2] = ["ada", "bob"];
const CLIENTS: [&str; 3] = ["editor", "reader", "writer"];
const SCOPES: [&str; 3] = ["a", "b", "a b"];
const UIDS: [u32; 2] = [1000, 1001];

/// Who, at which application, for what; as indexes into the lists above.
type Errand = (usize, usize, usize, usize);

#[derive(Clone, Debug)]
enum Step {
    SignIn(Errand),
    /// All of them at once, forced or not.
    Ask(Vec<(Errand, bool)>),
    Advance(i64),
    SignOut(Errand),
    SetDisk {
        works: bool,
    },
    Rotate(bool),
    Family(usize),
    Restart,
}

fn errand() -> impl Strategy<Value = Errand> {
    (0..UIDS.len(), 0..PEOPLE.len(), 0..CLIENTS.len(), 0..SCOPES.len())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => errand().prop_map(Step::SignIn),
        6 => prop::collection::vec((errand(), any::<bool>()), 1..8).prop_map(Step::Ask),
        3 => prop_oneof![Just(1), Just(600), Just(3300), Just(3600), Just(90_000)].prop_map(Step::Advance),
        1 => errand().prop_map(Step::SignOut),
        2 => any::<bool>().prop_map(|works| Step::SetDisk { works }),
        1 => any::<bool>().prop_map(Step::Rotate),
        1 => (0..=CLIENTS.len()).prop_map(Step::Family),
        1 => Just(Step::Restart),
    ]
}

struct Story {
    world: TestWorld,
}

impl Story {
    async fn tell(mut self, steps: Vec<Step>) {
        self.world.entra.change_manners(|it| it.refresh_in = Some(1800));
        for step in steps {
            self.take(step).await;
            settle().await;
            assert_eq!(self.world.entra.stolen(), 0, "a refresh token was used twice");
            assert_eq!(self.world.http.clashes(), 0, "a refresh token was sent twice at once");
            self.nothing_is_astray_on_the_disk();
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::SignIn(errand) => {
                let (world, app) = self.place(errand).await;
                let outcome = world.try_sign_in(&app, PEOPLE[errand.1], SCOPES[errand.3]).await;
                self.check(errand, &outcome);
                if let Ok(answer) = outcome {
                    self.is_on_the_disk(errand, &answer);
                }
            }
            Step::Ask(errands) => self.ask_all(errands).await,
            Step::Advance(seconds) => self.world.clock.advance(seconds).await,
            Step::SignOut(errand) => {
                let (world, app) = self.place(errand).await;
                if world.sign_out(&app, PEOPLE[errand.1]).await.is_ok() {
                    let name = format!("{}@contoso.com", PEOPLE[errand.1]);
                    assert!(!world.accounts(&app).await.contains(&name));
                }
            }
            Step::SetDisk { works: true } => self.world.store.recover(),
            Step::SetDisk { works: false } => self.world.store.fill_disk(),
            Step::Rotate(rotates) => self.world.entra.change_manners(|it| it.rotates = rotates),
            Step::Family(size) => {
                let family = CLIENTS[..size].iter().map(|it| (*it).to_owned()).collect();
                self.world.entra.change_manners(|it| it.family = family);
            }
            // What a full disk did not take is in memory alone, and no broker can save it from a kill.
            Step::Restart if self.world.store.is_failing() => {}
            Step::Restart => {
                self.world.engine.save_unsaved().await;
                self.world.restart();
            }
        }
    }

    async fn place(&self, (uid, _, client, _): Errand) -> (TestWorld, Arc<ClientApplication>) {
        let world = self.world.as_uid(UIDS[uid]);
        let app = world.app(CLIENTS[client]).await;
        (world, app)
    }

    /// All ask while the provider takes its time, so that whatever can overlap does.
    async fn ask_all(&self, errands: Vec<(Errand, bool)>) {
        let gate = self.world.http.hold(On::refresh());
        let mut callers = Vec::new();
        for (errand, force_refresh) in errands {
            let (world, app) = self.place(errand).await;
            let account = AccountSelector::Named(format!("{}@contoso.com", PEOPLE[errand.1]));
            let request =
                SilentRequest { account, force_refresh, ..world.request(&app, SCOPES[errand.3]) };
            callers.push((errand, tokio::spawn(async move { world.ask(request).await })));
        }
        settle().await;
        gate.open();
        for (errand, caller) in callers {
            self.check(errand, &caller.await.unwrap());
        }
    }

    /// The token is for whom it was asked, and good for what.
    fn check(&self, (_, person, client, scopes): Errand, outcome: &Result<TokenAnswer, Error>) {
        let token = match outcome {
            Ok(TokenAnswer::Cached(token)) => token.secret.expose(),
            Ok(TokenAnswer::Issued(token)) => token.access_token.expose(),
            Ok(TokenAnswer::Signed(..)) => panic!("nobody asked for a signed request"),
            Err(Error::Bug(defect)) => panic!("{defect}"),
            Err(_) => return,
        };
        let holder = self.world.entra.holder_of(token).unwrap();
        assert_eq!(
            (holder.person.as_str(), holder.client.as_str()),
            (PEOPLE[person], CLIENTS[client])
        );
        let granted: Vec<_> = holder.scopes.split(' ').collect();
        assert!(SCOPES[scopes].split(' ').all(|scope| granted.contains(&scope)));
    }

    fn is_on_the_disk(&self, (uid, ..): Errand, answer: &TokenAnswer) {
        let TokenAnswer::Issued(token) = answer else { panic!("a sign-in issues a token") };
        let refresh_token = token.access_token.expose().replace("at-", "rt-");
        let world = self.world.as_uid(UIDS[uid]);
        assert!(world.store.refresh_tokens(world.partition()).contains(&refresh_token));
    }

    /// What is stored for one user of the machine is stored for nobody else.
    fn nothing_is_astray_on_the_disk(&self) {
        let [one, other] = UIDS.map(|uid| {
            let world = self.world.as_uid(uid);
            world.store.refresh_tokens(world.partition())
        });
        assert!(one.iter().all(|token| !other.contains(token)));
    }
}

proptest! {
    // A case that failed is to become a story of its own, with a name.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_loses_a_token_or_hands_it_to_another(steps in prop::collection::vec(step(), 1..40)) {
        run(Story { world: TestWorld::new() }.tell(steps));
    }
}
