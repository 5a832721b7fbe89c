//! Signing in on another device (RFC 8628): polling by the provider's rules.

use std::sync::Arc;
use std::time::Duration;

use valetkey_engine::{ClientApplication, Flow, FlowKind, FlowStatus, Invitation};
use valetkey_testkit::http::{On, Reply, status};
use valetkey_testkit::world::{START, TestWorld, run, settle, tell_status};

struct Story {
    world: TestWorld,
    app: Arc<ClientApplication>,
    flow: Arc<Flow>,
}

impl Story {
    /// A flow that was started, and that nobody waits for yet.
    async fn begin() -> Self {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let request = world.flow_request(&app, FlowKind::DeviceCode, "a");
        let (flow, is_joined) = world.start(request).await.unwrap();
        assert!(!is_joined);
        Self { world, app, flow }
    }

    /// Looks at the flow, which begins the polling.
    async fn look(&self) -> String {
        let (world, user) = (&self.world, self.world.user().await);
        tell_status(&world.engine.wait_for_flow(&user, &self.flow, Duration::ZERO).await)
    }

    /// Has somebody wait for the flow who gives up at once.
    async fn begin_to_poll(&self) {
        let (world, flow) = (self.world.clone(), Arc::clone(&self.flow));
        let caller = tokio::spawn(async move {
            world.engine.wait_for_flow(&world.user().await, &flow, Duration::from_secs(60)).await
        });
        settle().await;
        caller.abort();
        assert!(caller.await.is_err());
    }

    fn user_code(&self) -> &str {
        user_code_of(&self.flow)
    }

    fn approve(&self, person: &str) {
        self.world.entra.approve_device(self.user_code(), person);
    }

    fn polls(&self) -> usize {
        self.world.http.count(&On::device_poll())
    }

    /// Lets time pass second by second, and says at which seconds the provider was asked.
    async fn polled_at(&self, seconds: i64) -> Vec<i64> {
        let mut polled_at = Vec::new();
        let mut before = self.polls();
        for second in 1..=seconds {
            self.world.clock.advance(1).await;
            polled_at.extend((before..self.polls()).map(|_| second));
            before = self.polls();
        }
        polled_at
    }
}

fn user_code_of(flow: &Flow) -> &str {
    let Invitation::Device(fields) = &flow.invitation else { panic!("a device flow") };
    assert!(!fields.contains_key("device_code"));
    fields["user_code"].as_str().unwrap()
}

#[test]
fn the_first_look_polls_once_and_the_rest_follows_by_itself() {
    run(async {
        let story = Story::begin().await;
        story.world.clock.advance(30).await;
        assert_eq!(story.polls(), 0);
        assert_eq!(story.look().await, "pending after 1");
        assert_eq!(story.look().await, "pending after 1");
        assert_eq!(story.polled_at(12).await, [5, 10]);
        story.approve("ada");
        assert_eq!(story.look().await, "pending after 3");
        assert_eq!(story.polled_at(20).await, [3]);
        assert_eq!(story.look().await, "issued at-1");
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
        assert_eq!(story.world.accounts(&story.app).await, ["ada@contoso.com"]);
    });
}

#[test]
fn who_approved_at_once_is_signed_in_by_the_first_look() {
    run(async {
        let story = Story::begin().await;
        story.approve("ada");
        assert_eq!(story.look().await, "issued at-1");
    });
}

#[test]
fn a_wait_ends_with_the_flow_or_with_patience() {
    run(async {
        let story = Story::begin().await;
        let wait = |seconds| {
            let (world, flow) = (story.world.clone(), Arc::clone(&story.flow));
            tokio::spawn(async move {
                let (user, patience) = (world.user().await, Duration::from_secs(seconds));
                tell_status(&world.engine.wait_for_flow(&user, &flow, patience).await)
            })
        };
        let (short, long) = (wait(7), wait(60));
        story.world.clock.advance(7).await;
        assert_eq!(short.await.unwrap(), "pending after 2");
        story.approve("ada");
        story.world.clock.advance(3).await;
        assert_eq!(long.await.unwrap(), "issued at-1");
    });
}

#[test]
fn slow_down_is_for_good() {
    run(async {
        let story = Story::begin().await;
        story.world.http.script_once(On::device_poll(), Reply::refusal("slow_down"));
        story.look().await;
        assert_eq!(story.polled_at(30).await, [10, 20, 30]);
        story.world.http.script_once(On::device_poll(), Reply::refusal("slow_down"));
        assert_eq!(story.polled_at(40).await, [10, 25, 40]);
    });
}

#[test]
fn a_fault_on_the_way_ends_nothing_and_is_asked_about_less_often() {
    run(async {
        let story = Story::begin().await;
        story.world.http.script(On::device_poll(), Reply::offline());
        assert_eq!(story.look().await, "pending after 1");
        assert_eq!(story.polled_at(200).await, [10, 30, 70, 130, 190]);
        story.world.http.forget_scripts();
        assert_eq!(story.polled_at(60).await, [50, 55, 60], "and then as often as before");
        story.approve("ada");
        story.world.clock.advance(5).await;
        assert_eq!(story.look().await, "issued at-1");
    });
}

#[test]
fn a_provider_that_is_out_of_order_ends_nothing() {
    for (reply, seconds) in [
        (status(503), 10),
        (status(503).header("retry-after", "20"), 20),
        (status(429).header("retry-after", "20"), 20),
        (Reply::refusal("temporarily_unavailable").header("retry-after", "20"), 20),
    ] {
        run(async {
            let story = Story::begin().await;
            story.world.http.script_once(On::device_poll(), reply);
            assert_eq!(story.look().await, "pending after 1");
            story.approve("ada");
            let polled_at = story.polled_at(120).await;
            assert_eq!(polled_at, [seconds]);
            assert_eq!(story.look().await, "issued at-1");
        });
    }
}

#[test]
fn a_flow_ends_with_its_code() {
    run(async {
        let story = Story::begin().await;
        assert_eq!(story.flow.expires_at, START.plus_seconds(900));
        story.look().await;
        story.world.clock.advance(899).await;
        assert!(story.look().await.starts_with("pending"));
        story.world.clock.advance(1).await;
        assert_eq!(story.look().await, "the sign-in was not finished in time");
        assert!(story.polled_at(100).await.is_empty());
    });
}

#[test]
fn a_decided_flow_polls_no_more() {
    run(async {
        let story = Story::begin().await;
        story.look().await;
        story.world.entra.decline_device(story.user_code());
        story.world.clock.advance(5).await;
        assert_eq!(story.look().await, "provider answered access_denied");
        assert!(story.polled_at(100).await.is_empty());
    });
}

#[test]
fn a_cancelled_flow_polls_no_more_and_stays_cancelled() {
    run(async {
        let story = Story::begin().await;
        story.look().await;
        story.world.engine.cancel_flow(&story.flow);
        story.approve("ada");
        assert!(story.polled_at(100).await.is_empty());
        assert_eq!(story.look().await, "the sign-in was cancelled");
        assert_eq!(story.world.token(&story.app, "a").await, "nobody is signed in");
    });
}

#[test]
fn a_flow_that_is_cancelled_too_late_leaves_disk_and_memory_of_one_mind() {
    run(async {
        let story = Story::begin().await;
        story.world.store.gate.close();
        story.begin_to_poll().await;
        story.approve("ada");
        story.world.clock.advance(5).await;
        assert_eq!(story.world.store.gate.held(), 1);
        story.world.engine.cancel_flow(&story.flow);
        story.world.store.gate.open();
        settle().await;
        assert_eq!(story.look().await, "the sign-in was cancelled");
        assert_eq!(story.world.store.refresh_tokens(story.world.partition()), ["rt-1"]);
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
    });
}

#[test]
fn a_second_caller_joins_while_the_flow_is_open() {
    run(async {
        let Story { world, app, flow } = Story::begin().await;
        let again = |scopes| world.start(world.flow_request(&app, FlowKind::DeviceCode, scopes));
        let (joined, is_joined) = again("a").await.unwrap();
        assert!(is_joined && joined.id != flow.id);
        assert_eq!(user_code_of(&joined), user_code_of(&flow));
        assert!(!again("b").await.unwrap().1);
        let elsewhere = world.as_uid(1001);
        let request =
            elsewhere.flow_request(&elsewhere.app("editor").await, FlowKind::DeviceCode, "a");
        assert!(!elsewhere.start(request).await.unwrap().1);
        assert_eq!(world.http.count(&On::url("/devicecode")), 3);
        world.engine.cancel_flow(&flow);
        world.engine.cancel_flow(&joined);
        assert!(!again("a").await.unwrap().1);
    });
}

#[test]
fn callers_who_come_at_once_start_one_flow() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let gate = world.http.hold(On::url("/devicecode"));
        let callers = [(); 10].map(|()| {
            let (world, request) =
                (world.clone(), world.flow_request(&app, FlowKind::DeviceCode, "a"));
            tokio::spawn(async move { world.start(request).await.unwrap().1 })
        });
        settle().await;
        gate.open();
        let mut joined = 0;
        for caller in callers {
            joined += usize::from(caller.await.unwrap());
        }
        assert_eq!((joined, world.http.count(&On::url("/devicecode"))), (9, 1));
        assert_eq!(world.user().await.open_flows(), 1);
    });
}

#[test]
fn a_flow_finishes_though_nobody_waits() {
    run(async {
        let story = Story::begin().await;
        story.begin_to_poll().await;
        story.approve("ada");
        story.world.clock.advance(5).await;
        assert!(matches!(story.flow.status(START), FlowStatus::Completed(_)));
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
    });
}

#[test]
fn a_flow_is_its_users_own() {
    run(async {
        let story = Story::begin().await;
        let (user, stranger) = (story.world.user().await, story.world.as_uid(1001).user().await);
        let engine = &story.world.engine;
        assert!(Arc::ptr_eq(&engine.find_flow(&user, &story.flow.id).unwrap(), &story.flow));
        let error = engine.find_flow(&stranger, &story.flow.id).err().unwrap();
        assert_eq!(error.to_string(), "no open flow has this id");
        assert!(story.world.complete(&story.flow, [].into()).await.is_err());
    });
}

#[test]
fn an_id_token_of_another_provider_signs_nobody_in() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world
            .op
            .change_manners(|it| it.id_token = serde_json::json!({"iss": "https://evil.example"}));
        let request = world.flow_request(&app, FlowKind::DeviceCode, "a");
        let (flow, _) = world.start(request).await.unwrap();
        let Invitation::Device(fields) = &flow.invitation else { panic!("a device flow") };
        world.op.approve_device(fields["user_code"].as_str().unwrap(), "ada");
        let user = world.user().await;
        let status = world.engine.wait_for_flow(&user, &flow, Duration::ZERO).await;
        assert_eq!(tell_status(&status), "id token's iss is not the provider's issuer");
        assert_eq!((user.counts().accounts, user.counts().refresh_tokens), (0, 0));
    });
}
