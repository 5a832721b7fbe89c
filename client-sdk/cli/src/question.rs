//! A person who must be asked, at another place than this one: whoever waits here for the answer is told so.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use valetkey_client::blocking::Client;
use valetkey_client::v1::Prompt;

use crate::console::Console;

/// Does what may take its time, and tells on standard error when the daemon has put a question about this very process to the
/// person. Not only on a terminal: a script that hangs has that line in its log. A program that reads JSON gets none.
pub(crate) fn while_asking<T>(client: &Client, console: &Console, work: impl FnOnce() -> T) -> T {
    if console.is_json() {
        return work();
    }
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                if let Some(prompt) = find_question(client) {
                    return console.tell(if prompt.seen { WAITING } else { UNSEEN });
                }
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Whoever may not see the questions is told nothing.
fn find_question(client: &Client) -> Option<Prompt> {
    let prompts = client.prompts(Duration::ZERO).unwrap_or_default();
    prompts.into_iter().find(|prompt| prompt.processes.contains(&std::process::id()))
}

const WAITING: &str = "\
valetkey: waits for your answer, for 90 s at most: whether this program may use the account
answer in the notification, or run `valetkey grants watch` in another terminal\n";

const UNSEEN: &str = "\
valetkey: waits for your answer, for 90 s at most: whether this program may use the account
no desktop shows you the question: run `valetkey grants watch` in another terminal, and answer there\n";

const PATIENCE: Duration = Duration::from_secs(1);
