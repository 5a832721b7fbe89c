//! The daemon's questions on the person's desktop: a notification whose buttons are the answers (the Desktop Notifications
//! Specification of freedesktop.org).

use std::collections::HashMap;

use valetkey_proto::v1::{AnswerPromptRequest, Prompt, PromptAnswer};
use zbus::Message;
use zbus::connection::Builder;
use zbus::zvariant::Value;

use super::wording::{ask_about, describe};
use crate::bus::Service;

/// A desktop that shows notifications.
pub struct Desktop {
    service: Service,
    /// Whether the text may have markup, and so has to be escaped.
    has_markup: bool,
}

/// A notification that is being shown.
pub struct Shown(u32);

impl Desktop {
    /// The one of the session's bus.
    ///
    /// # Errors
    /// When there is no bus, nobody shows notifications, or they have no buttons.
    pub async fn find() -> zbus::Result<Self> {
        let service = Service::find(Builder::session()?, SERVICE, PATH).await?;
        let capabilities = service.call(PATH, INTERFACE, "GetCapabilities", &()).await?;
        let capabilities: Vec<String> = capabilities.body().deserialize()?;
        let has = |capability: &str| capabilities.iter().any(|known| known == capability);
        match has("actions") {
            true => Ok(Self { service, has_markup: has("body-markup") }),
            false => Err(zbus::Error::Unsupported),
        }
    }

    /// Shows a question.
    ///
    /// # Errors
    /// When the desktop does not take it.
    pub async fn show(&self, prompt: &Prompt) -> zbus::Result<Shown> {
        let body = match self.has_markup {
            true => escape(&describe(prompt)),
            false => describe(prompt),
        };
        let summary = ask_about(prompt);
        let answers = answers(prompt.lasting).iter();
        let actions: Vec<&str> = answers.flat_map(|(key, label, _)| [*key, *label]).collect();
        // It stays until it is answered.
        let hints = HashMap::from([("urgency", Value::U8(2))]);
        let notification =
            ("valetkey", 0_u32, "dialog-password", summary, body, actions, hints, 0_i32);
        let shown = self.service.call(PATH, INTERFACE, "Notify", &notification).await?;
        Ok(Shown(shown.body().deserialize()?))
    }

    /// What the person says to it; `None` when it was closed without an answer, or the desktop is gone.
    pub async fn answer(&mut self, shown: &Shown) -> Option<AnswerPromptRequest> {
        loop {
            let message = self.service.next().await?;
            match read(&message) {
                Some((id, Said::Action(key))) if id == shown.0 => {
                    let (.., answer) = answers(true).iter().find(|(known, ..)| *known == key)?;
                    return Some(AnswerPromptRequest { answer: *answer, hours: None });
                }
                Some((id, Said::Closed)) if id == shown.0 => return None,
                _ => {}
            }
        }
    }

    /// Takes it off the screen.
    pub async fn close(&self, shown: &Shown) {
        // It may be gone by itself.
        let _ = self.service.call(PATH, INTERFACE, "CloseNotification", &shown.0).await;
    }
}

enum Said {
    Action(String),
    Closed,
}

fn read(message: &Message) -> Option<(u32, Said)> {
    match message.header().member()?.as_str() {
        "ActionInvoked" => {
            let (id, key): (u32, String) = message.body().deserialize().ok()?;
            Some((id, Said::Action(key)))
        }
        "NotificationClosed" => {
            let (id, _reason): (u32, u32) = message.body().deserialize().ok()?;
            Some((id, Said::Closed))
        }
        _ => None,
    }
}

type Choice = (&'static str, &'static str, PromptAnswer);

/// What there is to say; of what only its process is known by, nothing lasts longer.
fn answers(is_lasting: bool) -> &'static [Choice] {
    const LASTING: &[Choice] = &[
        ("once", "Once", PromptAnswer::Once),
        ("until_lock", "Until lock", PromptAnswer::UntilLock),
        ("hours", "8 hours", PromptAnswer::Hours),
        ("always", "Always", PromptAnswer::Always),
        ("no", "No", PromptAnswer::No),
    ];
    const OF_A_PROCESS: &[Choice] = &[
        ("once", "Once", PromptAnswer::Once),
        ("until_lock", "While it runs", PromptAnswer::UntilLock),
        ("no", "No", PromptAnswer::No),
    ];
    if is_lasting { LASTING } else { OF_A_PROCESS }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const INTERFACE: &str = "org.freedesktop.Notifications";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_a_programs_own_is_shown_as_it_is() {
        assert_eq!(escape("/tmp/<b>&amp;"), "/tmp/&lt;b&gt;&amp;amp;");
    }
}
