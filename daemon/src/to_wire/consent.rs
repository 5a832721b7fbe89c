//! What the person has said about programs and accounts, and is asked.

use valetkey_model::UnixTime;
use valetkey_policy::{Grant, ProgramKey, Word};
use valetkey_proto::v1;

use crate::consent::Prompt;

/// A grant; with the account's user name, while it is there.
pub fn grant(grant: &Grant, username: Option<&str>) -> v1::ProgramGrant {
    let (program, sandbox, process) = match &grant.program {
        ProgramKey::Executable { path, sandbox } => {
            (Some(path.display().to_string()), sandbox.clone(), None)
        }
        ProgramKey::Process(process) => (None, None, Some(process.number)),
        ProgramKey::Unknown => (None, None, None),
    };
    v1::ProgramGrant {
        id: grant.id.clone(),
        word: word(grant.word),
        program,
        sandbox,
        process,
        environment: grant.environment.clone(),
        home_account_id: grant.account.as_str().to_owned(),
        username: username.map(str::to_owned),
        client_id: grant.client_id.clone(),
        scope: grant.scopes.as_ref().map(|scopes| scopes.target().to_owned()),
        since: grant.since.seconds(),
        until: grant.until.map(UnixTime::seconds),
    }
}

/// What was said.
pub fn word(word: Word) -> v1::Word {
    match word {
        Word::SignedIn => v1::Word::SignedIn,
        Word::Always => v1::Word::Always,
        Word::UntilLock => v1::Word::UntilLock,
        Word::ForTime => v1::Word::ForTime,
        Word::Once => v1::Word::Once,
        Word::No => v1::Word::No,
    }
}

/// A prompt as it stands.
pub fn prompt(prompt: &Prompt) -> v1::Prompt {
    let question = &prompt.question;
    v1::Prompt {
        id: prompt.id.clone(),
        since: prompt.since.seconds(),
        program: prompt.program.clone(),
        processes: prompt.processes(),
        waiting: prompt.waiting(),
        environment: question.environment.clone(),
        home_account_id: question.account.as_str().to_owned(),
        username: question.username.clone(),
        client_id: question.client_id.clone(),
        app: question.app.clone(),
        scope: question.scopes.target().to_owned(),
        lasting: question.program.is_lasting(),
        seen: prompt.is_seen(),
    }
}
