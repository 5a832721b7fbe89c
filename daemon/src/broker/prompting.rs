//! Puts the daemon's questions to the person whose daemon it is, on their desktop, where there is one.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use valetkey_model::{Partition, UnixTime};
use valetkey_proto::v1::AnswerPromptRequest;

use super::Broker;
use crate::consent::{Book, Desktop, Pinentry, Prompt};
use crate::{from_wire, to_wire};

/// The questions that the person was shown, and when last.
#[derive(Default)]
struct Shown(HashMap<String, LastShown>);

struct LastShown {
    at: UnixTime,
    /// How many requests had asked it by then.
    requests: u64,
}

impl Shown {
    /// Whether the person is to see it: for the first time, or once more, when it went from the screen without an answer and
    /// somebody has asked again since then.
    fn lacks(&self, prompt: &Prompt, now: UnixTime) -> bool {
        self.0.get(&prompt.id).is_none_or(|last| {
            let is_asked_again = prompt.waiting() > 0 && prompt.requests() > last.requests;
            is_asked_again && now.seconds_since(last.at) >= PAUSE_SECONDS
        })
    }

    /// Until it is looked again for those that lack.
    fn patience(&self) -> Duration {
        if self.0.is_empty() { Duration::MAX } else { LOOK_AGAIN }
    }
}

impl Broker {
    /// Shows each question as a notification, else in a window, one at a time, and passes on what is said to it. It can be
    /// answered elsewhere as well, by `valetkey grants watch`; then a notification goes from the screen.
    pub async fn ask_on_desktop(&self, user: Partition, pinentry: Option<Pinentry>) {
        let mut asked = self.consent.asked();
        let mut shown = Shown::default();
        while !matches!(timeout(shown.patience(), asked.changed()).await, Ok(Err(_))) {
            while let Some((book, prompt)) = self.next_prompt(&user, &mut shown).await {
                let was_shown = self.put_to_person(&book, &prompt, pinentry.as_ref()).await;
                let requests = if was_shown { prompt.requests() } else { 0 };
                shown.0.insert(prompt.id.clone(), LastShown { at: self.engine.now(), requests });
            }
        }
    }

    async fn next_prompt(
        &self,
        user: &Partition,
        shown: &mut Shown,
    ) -> Option<(Arc<Book>, Arc<Prompt>)> {
        let book = self.open_book(user).await.ok()?;
        let open = book.prompts(Duration::ZERO, || self.engine.now()).await;
        shown.0.retain(|id, _| open.iter().any(|prompt| prompt.id == *id));
        let next = open.into_iter().find(|prompt| shown.lacks(prompt, self.engine.now()))?;
        Some((book, next))
    }

    /// Whether they could be shown it.
    async fn put_to_person(
        &self,
        book: &Book,
        prompt: &Arc<Prompt>,
        pinentry: Option<&Pinentry>,
    ) -> bool {
        // Looked for each time: a desktop comes with a login, and goes.
        match Desktop::find().await {
            Ok(desktop) => return self.notify(desktop, book, prompt).await,
            Err(error) => tracing::info!(%error, "no desktop shows notifications"),
        }
        let Some(pinentry) = pinentry else {
            tracing::info!("nothing shows the question; `valetkey grants watch` does");
            return false;
        };
        let was_seen = prompt.is_seen();
        prompt.set_seen(true);
        match pinentry.ask(&to_wire::prompt(prompt)).await {
            Ok(request) => self.answer_on_desktop(book, prompt, &request).await,
            Err(error) => {
                tracing::info!(%error, "pinentry does not ask; `valetkey grants watch` does");
                let had_time = error.kind() == io::ErrorKind::TimedOut;
                prompt.set_seen(was_seen || had_time);
                return had_time;
            }
        }
        true
    }

    async fn notify(&self, mut desktop: Desktop, book: &Book, prompt: &Arc<Prompt>) -> bool {
        let shown = match desktop.show(&to_wire::prompt(prompt)).await {
            Ok(shown) => shown,
            Err(error) => {
                tracing::info!(%error, "the desktop does not show the question");
                return false;
            }
        };
        prompt.set_seen(true);
        tokio::select! {
            said = desktop.answer(&shown) => {
                if let Some(request) = said {
                    self.answer_on_desktop(book, prompt, &request).await;
                }
            }
            () = book.settled(prompt) => {}
        }
        // Not every desktop does that by itself when a button is pressed.
        desktop.close(&shown).await;
        true
    }

    async fn answer_on_desktop(&self, book: &Book, prompt: &Prompt, request: &AnswerPromptRequest) {
        let answered = async {
            let answer = from_wire::prompt_answer(request)?;
            self.answer_in_book(book, &prompt.id, answer, None).await
        };
        if let Err(error) = answered.await {
            tracing::warn!(%error, "what was said on the desktop could not be kept");
        }
    }
}

/// Before a question that went without an answer is shown once more.
const PAUSE_SECONDS: i64 = 10;
const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use valetkey_engine::Attendant;
    use valetkey_model::{AccountId, ScopeSet};
    use valetkey_policy::{ProgramKey, Question};
    use valetkey_proto::v1::AuditedProgram;
    use valetkey_vault::{KeyChoice, KeyProvider, OpenOptions};

    use super::*;
    use crate::consent::{Asking, Consent};
    use crate::shutdown::Shutdown;
    use crate::store::VaultStore;

    const NOW: UnixTime = UnixTime::from_seconds(1_000);

    async fn book(folder: &TempDir) -> (Arc<Book>, Shutdown) {
        let key = KeyChoice::Only(KeyProvider::File);
        let options = OpenOptions { key, ..OpenOptions::new(folder.path(), 1_000) };
        let store = VaultStore::open(options, Arc::new(|| 1_000)).unwrap();
        let (shutdown, stop) = Shutdown::new();
        let consent = Consent::new(Arc::new(store), stop);
        (consent.book(&Partition::of_uid(1000)).await.unwrap(), shutdown)
    }

    fn asking() -> Asking {
        let question = Question {
            program: ProgramKey::Executable { path: "/usr/bin/mail".into(), sandbox: None },
            environment: "login.example.com".to_owned(),
            account: AccountId::new("ada.home").unwrap(),
            username: "ada@example.com".to_owned(),
            client_id: "client".to_owned(),
            app: None,
            scopes: ScopeSet::from_target("User.Read"),
        };
        let attendant = Attendant::new(None, &Arc::default());
        Asking { question, attendant, program: AuditedProgram::default(), parents: Vec::new() }
    }

    async fn the_one(book: &Book) -> Arc<Prompt> {
        book.prompts(Duration::ZERO, || NOW).await.pop().unwrap()
    }

    #[tokio::test]
    async fn a_question_without_an_answer_comes_back_when_somebody_asks_again_and_not_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (book, _shutdown) = book(&folder).await;
        let (asking, id) = (asking(), || "prompt".to_owned());
        let after = |seconds| NOW.plus_seconds(seconds);
        let mut shown = Shown::default();
        let mut first = Box::pin(book.ask(&asking, id, NOW));
        assert!(futures_util::poll!(&mut first).is_pending());
        let prompt = the_one(&book).await;
        assert!(shown.lacks(&prompt, NOW), "it was never shown");
        shown.0.insert(prompt.id.clone(), LastShown { at: NOW, requests: prompt.requests() });
        assert!(!shown.lacks(&prompt, after(3600)), "who has asked then waits still");
        drop(first);
        assert!(!shown.lacks(&prompt, after(3600)), "nobody waits");

        let mut again = Box::pin(book.ask(&asking, id, NOW));
        assert!(futures_util::poll!(&mut again).is_pending());
        assert_eq!(the_one(&book).await.id, prompt.id);
        assert!(!shown.lacks(&prompt, after(9)), "the person has just sent it away");
        assert!(shown.lacks(&prompt, after(10)));
        drop(again);
        assert!(!shown.lacks(&prompt, after(10)), "nobody waits any more");
    }
}
