//! Stories: asynchronous tests on one thread that need no real time, since the runtime itself tells when nothing can go on.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

/// Who is to be told when every task waits.
#[derive(Default)]
struct Idle {
    settling: Vec<Waker>,
    story: Option<Waker>,
    is_stuck: bool,
}

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::default();
}

/// Runs a story to its end, on a runtime of its own. A story that waits for what will never happen fails at once, instead
/// of hanging. Nothing in it may wait for another thread, a socket or real time.
///
/// # Panics
/// When the story is stuck, or panics.
pub fn run<T>(story: impl Future<Output = T>) -> T {
    IDLE.take();
    let runtime = tokio::runtime::Builder::new_current_thread().on_thread_park(on_idle).build();
    #[expect(clippy::expect_used, reason = "a runtime of one thread without I/O needs nothing")]
    let runtime = runtime.expect("a runtime");
    let mut story = pin!(story);
    runtime.block_on(poll_fn(|cx| {
        IDLE.with_borrow_mut(|idle| {
            assert!(
                !idle.is_stuck,
                "the story is stuck: every task waits, and nobody will wake one"
            );
            idle.story = Some(cx.waker().clone());
        });
        story.as_mut().poll(cx)
    }))
}

/// Lets every task run until all of them wait for something that only the story can bring about.
pub async fn settle() {
    let mut was_idle = false;
    poll_fn(|cx| {
        if was_idle {
            return Poll::Ready(());
        }
        was_idle = true;
        IDLE.with_borrow_mut(|idle| idle.settling.push(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

fn on_idle() {
    let woken = IDLE.with_borrow_mut(|idle| {
        if idle.settling.is_empty() {
            idle.is_stuck = true;
            idle.settling.extend(idle.story.take());
        }
        std::mem::take(&mut idle.settling)
    });
    woken.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn all_tasks_have_run_when_the_story_goes_on() {
        run(async {
            let chain = (0..1000).fold(tokio::spawn(async { 0 }), |before, _| {
                tokio::spawn(async { before.await.unwrap() + 1 })
            });
            assert!(!chain.is_finished());
            settle().await;
            assert!(chain.is_finished());
            assert_eq!(chain.await.unwrap(), 1000);
        });
    }

    #[test]
    #[should_panic(expected = "the story is stuck")]
    fn a_story_that_can_never_go_on_fails() {
        run(async { Notify::new().notified().await });
    }
}
