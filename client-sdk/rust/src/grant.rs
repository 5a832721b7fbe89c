//! `/v1/grants` and `/v1/prompts`: what the person has said about which program may use which account, and is asked. For programs
//! that put the daemon's questions to the person, as `valetkey grants watch` does.

use std::time::Duration;

use valetkey_proto::v1::paths::{MAX_WAIT_SECONDS, route};
use valetkey_proto::v1::{AnswerPromptRequest, Grants, ProgramGrant, Prompt, Prompts};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::http1::fill;

impl Client {
    /// What the person has said, the oldest first.
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub async fn grants(&self) -> Result<Vec<ProgramGrant>, Error> {
        Ok(self.call(list()).await?.grants)
    }

    /// Takes back a yes or a no, by its id; all of them without one.
    ///
    /// # Errors
    /// When there is none of this id, or the daemon does not confirm it.
    pub async fn revoke_grant(&self, id: Option<&str>) -> Result<(), Error> {
        self.call(revoke(id)).await
    }

    /// What the person is being asked, once there is something or `patience`, of a minute at most, is over.
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub async fn prompts(&self, patience: Duration) -> Result<Vec<Prompt>, Error> {
        Ok(self.call(wait(patience)).await?.prompts)
    }

    /// Passes on what the person has answered.
    ///
    /// # Errors
    /// When somebody else has answered before, or the daemon does not confirm it.
    pub async fn answer_prompt(&self, id: &str, answer: &AnswerPromptRequest) -> Result<(), Error> {
        self.call(reply(id, answer)).await
    }
}

impl blocking::Client {
    /// As [`Client::grants`].
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub fn grants(&self) -> Result<Vec<ProgramGrant>, Error> {
        Ok(self.call(list())?.grants)
    }

    /// As [`Client::revoke_grant`].
    ///
    /// # Errors
    /// When there is none of this id, or the daemon does not confirm it.
    pub fn revoke_grant(&self, id: Option<&str>) -> Result<(), Error> {
        self.call(revoke(id))
    }

    /// As [`Client::prompts`].
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub fn prompts(&self, patience: Duration) -> Result<Vec<Prompt>, Error> {
        Ok(self.call(wait(patience))?.prompts)
    }

    /// As [`Client::answer_prompt`].
    ///
    /// # Errors
    /// When somebody else has answered before, or the daemon does not confirm it.
    pub fn answer_prompt(&self, id: &str, answer: &AnswerPromptRequest) -> Result<(), Error> {
        self.call(reply(id, answer))
    }
}

fn list() -> Call<Grants> {
    Call::get(route::GRANTS)
}

fn revoke(id: Option<&str>) -> Call<()> {
    match id {
        Some(id) => Call::delete(&fill(route::GRANT, &[id])),
        None => Call::delete(route::GRANTS).repeatable(),
    }
}

fn wait(patience: Duration) -> Call<Prompts> {
    let seconds = patience.as_secs().min(MAX_WAIT_SECONDS);
    Call::get(&format!("{}?wait={seconds}", route::PROMPTS))
}

fn reply(id: &str, answer: &AnswerPromptRequest) -> Call<()> {
    Call::post(&fill(route::PROMPT, &[id]), answer)
}
