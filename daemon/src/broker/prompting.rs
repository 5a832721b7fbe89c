//! Puts the daemon's questions to the person whose daemon it is, on their desktop, where there is one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use valetkey_model::Partition;
use valetkey_proto::v1::AnswerPromptRequest;

use super::Broker;
use crate::consent::{Book, Desktop, Pinentry, Prompt};
use crate::{from_wire, to_wire};

impl Broker {
    /// Shows each question as a notification, else in a window, one at a time, and passes on what is said to it. It can be
    /// answered elsewhere as well, by `valetkey grants watch`; then a notification goes from the screen.
    pub async fn ask_on_desktop(&self, user: Partition, pinentry: Option<Pinentry>) {
        let mut asked = self.consent.asked();
        let mut shown = HashSet::new();
        while asked.changed().await.is_ok() {
            // Looked for each time: a desktop comes with a login, and goes.
            match Desktop::find().await {
                Ok(mut desktop) => {
                    while let Some((book, prompt)) = self.next_prompt(&user, &mut shown).await {
                        self.put_to_person(&mut desktop, &book, &prompt).await;
                    }
                }
                Err(error) => {
                    tracing::info!(%error, "no desktop shows notifications");
                    self.ask_in_windows(&user, &mut shown, pinentry.as_ref()).await;
                }
            }
        }
    }

    async fn ask_in_windows(
        &self,
        user: &Partition,
        shown: &mut HashSet<String>,
        pinentry: Option<&Pinentry>,
    ) {
        let Some(pinentry) = pinentry else {
            tracing::info!("nothing shows the question; `valetkey grants watch` does");
            return;
        };
        while let Some((book, prompt)) = self.next_prompt(user, shown).await {
            match pinentry.ask(&to_wire::prompt(&prompt)).await {
                Ok(request) => self.answer_on_desktop(&book, &prompt, &request).await,
                Err(error) => {
                    tracing::info!(%error, "pinentry does not ask; `valetkey grants watch` does");
                }
            }
        }
    }

    async fn next_prompt(
        &self,
        user: &Partition,
        shown: &mut HashSet<String>,
    ) -> Option<(Arc<Book>, Arc<Prompt>)> {
        let book = self.open_book(user).await.ok()?;
        let open = book.prompts(Duration::ZERO, || self.engine.now()).await;
        shown.retain(|id| open.iter().any(|prompt| prompt.id == *id));
        let next = open.into_iter().find(|prompt| !shown.contains(&prompt.id))?;
        shown.insert(next.id.clone());
        Some((book, next))
    }

    async fn put_to_person(&self, desktop: &mut Desktop, book: &Book, prompt: &Arc<Prompt>) {
        let shown = match desktop.show(&to_wire::prompt(prompt)).await {
            Ok(shown) => shown,
            Err(error) => {
                tracing::info!(%error, "the desktop does not show the question");
                return;
            }
        };
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
