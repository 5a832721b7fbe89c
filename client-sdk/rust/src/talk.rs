//! What one call says over one connection. An application with something of its own is opened there first, and any that the
//! daemon has forgotten is opened again. No I/O is done here: both clients send what comes next and hand the answer in.

use serde::de::DeserializeOwned;
use valetkey_proto::v1::{self, ErrorCode};

use crate::call::Call;
use crate::connection::{Broken, OpenedHere};
use crate::definition::{Definition, Opening, OpeningKey};
use crate::error::{Error, ProtocolError};
use crate::http1::Answer;

/// What is to be brought about.
pub(crate) enum Errand<'a, T> {
    /// This answer.
    Plain(Call<T>),
    /// An open application.
    Open(Call<T>, OpeningKey),
    /// This answer about an application, by its id.
    OfApp(&'a Definition, &'a (dyn Fn(&str) -> Call<T> + Sync)),
}

/// The way to it over one connection.
pub(crate) struct Talk<'a, T> {
    errand: &'a Errand<'a, T>,
    stage: Stage<'a, T>,
    may_reopen: bool,
}

enum Stage<'a, T> {
    Asking,
    Opening(&'a Definition, &'a Opening, Call<v1::App>),
    AskingOfApp(&'a Definition, Call<T>),
}

/// What an answer leads to.
enum Next<T> {
    Ask,
    Done(Result<T, Error>),
}

/// How a talk ended.
pub(crate) struct Told<T> {
    pub(crate) outcome: Result<T, Error>,
    /// Whether the connection is good for another one.
    pub(crate) keeps_alive: bool,
}

impl<'a, T: DeserializeOwned> Talk<'a, T> {
    pub(crate) fn begin(errand: &'a Errand<'a, T>, here: &OpenedHere) -> Self {
        let stage = match errand {
            Errand::Plain(_) | Errand::Open(..) => Stage::Asking,
            Errand::OfApp(app, build) => match app.opening_of_each_connection() {
                Some(opening) if !here.contains(opening.key) => {
                    Stage::Opening(app, opening, opening.call())
                }
                _ => Stage::AskingOfApp(app, build(&app.opened().app)),
            },
        };
        Self { errand, stage, may_reopen: true }
    }

    /// What to send.
    pub(crate) fn request(&self) -> &[u8] {
        match (&self.stage, self.errand) {
            (Stage::Opening(_, _, call), _) => &call.request,
            (Stage::AskingOfApp(_, call), _) => &call.request,
            (Stage::Asking, Errand::Plain(call) | Errand::Open(call, _)) => &call.request,
            // No errand about an application begins so.
            (Stage::Asking, Errand::OfApp(..)) => &[],
        }
    }

    /// Whether what is being sent may be sent again when nobody answers.
    pub(crate) fn is_repeatable(&self) -> bool {
        match (&self.stage, self.errand) {
            (Stage::Opening(..), _) => true,
            (Stage::AskingOfApp(_, call), _) => call.is_repeatable,
            (Stage::Asking, Errand::Plain(call) | Errand::Open(call, _)) => call.is_repeatable,
            (Stage::Asking, Errand::OfApp(..)) => false,
        }
    }

    /// Takes the answer to what was sent: the outcome, if that is all. Otherwise there is more to send over the connection.
    pub(crate) fn take(
        &mut self,
        answer: Answer<'_>,
        here: &mut OpenedHere,
    ) -> Result<Option<Told<T>>, Broken> {
        let keeps_alive = answer.keeps_alive;
        let (next, opened) = self.hear(answer);
        here.extend(opened);
        match next {
            Next::Done(outcome) => Ok(Some(Told { outcome, keeps_alive })),
            // It will be closed, and nothing of what comes next has begun.
            Next::Ask if !keeps_alive => Err(Broken::Gone(ProtocolError::HungUp.into())),
            Next::Ask => Ok(None),
        }
    }

    fn hear(&mut self, answer: Answer<'_>) -> (Next<T>, Option<OpeningKey>) {
        match (&self.stage, self.errand) {
            (Stage::Opening(app, opening, _), Errand::OfApp(_, build)) => {
                let opened = match Call::<v1::App>::read(answer) {
                    Ok(opened) => opened,
                    Err(error) => return (Next::Done(Err(error)), None),
                };
                let (app, key) = (*app, opening.key);
                app.reopened(opened);
                self.stage = Stage::AskingOfApp(app, build(&app.opened().app));
                (Next::Ask, Some(key))
            }
            (Stage::AskingOfApp(app, _), _) => {
                let outcome = Call::read(answer);
                let is_forgotten =
                    outcome.as_ref().is_err_and(|error: &Error| error.is(ErrorCode::UnknownApp));
                let app = *app;
                match app.opening().filter(|_| is_forgotten && self.may_reopen) {
                    Some(opening) => {
                        self.may_reopen = false;
                        self.stage = Stage::Opening(app, opening, opening.call());
                        (Next::Ask, None)
                    }
                    None => (Next::Done(outcome), None),
                }
            }
            (_, Errand::Open(_, key)) => {
                let outcome = Call::read(answer);
                let opened = outcome.is_ok().then_some(*key);
                (Next::Done(outcome), opened)
            }
            _ => (Next::Done(Call::read(answer)), None),
        }
    }
}
