//! What one user's programs take up of the memory, where others are to find room as well.

use std::sync::Arc;

use valetkey_cache::{Document, Entry};
use valetkey_model::UnixTime;
use valetkey_testkit::http::On;
use valetkey_testkit::world::{ROOM, TestWorld, run};

const FULL: &str = "this user's programs take up 1 MiB of the daemon's memory, and that is the limit; sign out of some accounts, \
                    or close private caches and applications";

/// Something of so many bytes, in the cache of a user who has signed in.
async fn world_with(bytes: usize) -> TestWorld {
    let world = TestWorld::new();
    world.sign_in(&world.app("editor").await, "ada", "a").await;
    let document = Document {
        url: "https://elsewhere.example/large".into(),
        fetched_at: UnixTime::from_seconds(0),
        body: "x".repeat(bytes).into(),
    };
    world.store.put(world.partition(), Entry::Document(Arc::new(document)));
    assert!(world.engine.unload(world.partition()).await);
    world
}

#[test]
fn who_is_at_the_limit_keeps_what_is_there_and_brings_nothing_new() {
    run(async {
        let world = world_with(ROOM).await;
        let app = world.app("editor").await;
        let check =
            |more| world.engine.check_room(world.partition(), more).map_err(|e| e.to_string());
        assert_eq!(check(0), Err(FULL.to_owned()));
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        world.clock.advance(3600).await;
        assert_eq!(world.token(&app, "a").await, "issued at-2", "it is kept fresh");
        let other = world.as_uid(1001);
        assert_eq!(other.engine.check_room(other.partition(), ROOM / 2).map_err(drop), Ok(()));
        other.sign_in(&other.app("editor").await, "bob", "a").await;
    });
}

#[test]
fn far_beyond_the_limit_a_provider_is_not_asked_until_there_is_room() {
    run(async {
        let world = world_with(ROOM / 4 * 5).await;
        let app = world.app("editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        world.clock.advance(3600).await;
        let before = world.http.count(&On::refresh());
        assert_eq!(world.token(&app, "a").await, FULL);
        assert_eq!(world.http.count(&On::refresh()), before);
    });
}

#[test]
fn all_parts_of_a_user_count_and_those_that_left_memory_do_not() {
    run(async {
        let world = world_with(ROOM / 2).await;
        let held = || world.engine.held_for(world.partition());
        let empty = held();
        drop(world.user().await);
        let own = held();
        assert!(own >= empty + ROOM / 2, "{own}");
        let part = world.partition().of_application("x");
        let other = Entry::Document(Arc::new(Document {
            url: "https://elsewhere.example/other".into(),
            fetched_at: UnixTime::from_seconds(0),
            body: "x".repeat(1000).into(),
        }));
        world.store.put(&part, other);
        drop(world.engine.user(&part).await.unwrap());
        assert!(held() >= own + 1000);
        assert!(world.engine.unload(&part).await);
        assert_eq!(held(), own);
        assert!(
            world.engine.check_room(&part, ROOM / 2).is_err()
                && world.engine.check_room(&part, 0).is_ok()
        );
    });
}
