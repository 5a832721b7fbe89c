//! `valetkey grants watch`: puts the daemon's questions to whoever sits at this terminal, one after another.

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use valetkey_client::blocking::Client;
use valetkey_client::v1::{AnswerPromptRequest, ErrorCode, Prompt, PromptAnswer};

use crate::console::Console;
use crate::failure::Failure;
use crate::text::{clean, clean_line, escape_json};

pub(super) fn run(client: &Client, console: &Console) -> Result<(), Failure> {
    if io::stdin().is_terminal() && !console.is_json() {
        console.tell("Questions of programs appear here. Ctrl-C ends it.\n");
    }
    let mut passed_over = HashSet::new();
    loop {
        let prompts = client.prompts(PATIENCE)?;
        let Some(prompt) = prompts.iter().find(|prompt| !passed_over.contains(&prompt.id)) else {
            pause_unless(prompts.is_empty());
            continue;
        };
        console.print(&show(prompt, console))?;
        match read_answer(prompt, console)? {
            Reading::Answer(answer) => pass_on(client, prompt, &answer, console)?,
            Reading::Later => drop(passed_over.insert(prompt.id.clone())),
            Reading::End => return Ok(()),
        }
    }
}

/// While there are prompts that the person has put off, the daemon does not wait for others.
fn pause_unless(has_waited: bool) {
    if !has_waited {
        std::thread::sleep(SHORT_PAUSE);
    }
}

fn show(prompt: &Prompt, console: &Console) -> String {
    if console.is_json() {
        return escape_json(&serde_json::to_string(prompt).unwrap_or_default()) + "\n";
    }
    let program = &prompt.program;
    let path = program.path.as_deref().unwrap_or("a program that cannot be looked at");
    let mut text = format!("\n{}\n", console.bold(&clean_line(path)));
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:<13}{}\n", clean_line(value)));
        }
    };
    if let Some(why) = &program.unidentified {
        line("unidentified", why);
    }
    line("running as", &program.describe_process());
    line("sandbox", program.sandbox.as_deref().unwrap_or_default());
    line("unit", program.unit.as_deref().unwrap_or_default());
    line("started by", &program.describe_parents());
    line("wants", &format!("{} at {}", prompt.username, prompt.environment));
    line(
        "through",
        &match &prompt.app {
            Some(name) => format!("{name} ({})", prompt.client_id),
            None => prompt.client_id.clone(),
        },
    );
    line("for", if prompt.scope.is_empty() { "signing in" } else { &prompt.scope });
    if prompt.waiting > 1 {
        let (requests, processes) = (prompt.waiting, prompt.processes.len());
        line("waiting", &format!("{requests} requests of {processes} processes"));
    }
    text
}

enum Reading {
    Answer(AnswerPromptRequest),
    Later,
    /// Nobody types any more.
    End,
}

fn read_answer(prompt: &Prompt, console: &Console) -> Result<Reading, Failure> {
    let choices = if prompt.lasting { CHOICES } else { CHOICES_FOR_A_PROCESS };
    loop {
        if !console.is_json() {
            console.tell(choices);
        }
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        if read.map_err(Failure::output)? == 0 {
            return Ok(Reading::End);
        }
        match understand(&line, prompt.lasting) {
            Some(reading) => return Ok(reading),
            None if is_question(&line) => console.tell(match prompt.lasting {
                true => MEANING,
                false => MEANING_FOR_A_PROCESS,
            }),
            None => console.tell("That is none of the choices; `?` explains them.\n"),
        }
    }
}

/// Who types nothing does not know what to type.
fn is_question(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "" | "?" | "help")
}

/// Nothing but what was offered.
fn understand(line: &str, is_lasting: bool) -> Option<Reading> {
    let mut words = line.split_whitespace();
    let (answer, number) = (words.next()?.to_ascii_lowercase(), words.next());
    let say = |answer, hours| Some(Reading::Answer(AnswerPromptRequest { answer, hours }));
    match (answer.as_str(), number) {
        ("o" | "once", None) => say(PromptAnswer::Once, None),
        ("l" | "lock", None) => say(PromptAnswer::UntilLock, None),
        ("h" | "hours" | "a" | "always", _) if !is_lasting => None,
        ("h" | "hours", None) => say(PromptAnswer::Hours, None),
        ("h" | "hours", Some(hours)) => say(PromptAnswer::Hours, Some(hours.parse().ok()?)),
        ("a" | "always", None) => say(PromptAnswer::Always, None),
        ("n" | "no", None) => say(PromptAnswer::No, None),
        ("s" | "skip", None) => Some(Reading::Later),
        _ => None,
    }
}

fn pass_on(
    client: &Client,
    prompt: &Prompt,
    answer: &AnswerPromptRequest,
    console: &Console,
) -> Result<(), Failure> {
    match client.answer_prompt(&prompt.id, answer) {
        Err(error) if error.is(ErrorCode::UnknownPrompt) => {
            console.tell("It was answered elsewhere, or nobody waits for it any more.\n");
        }
        Err(error) if error.is(ErrorCode::BadRequest) => {
            console.tell(&format!("{}\n", clean(&error.to_string())));
        }
        outcome => outcome?,
    }
    Ok(())
}

const MEANING: &str = "\
  once     yes, to what it asks for this time; it may ask again
  lock     yes, until the store is locked or the daemon ends
  hours    yes, for 8 hours, or for as many as you say: `hours 2`
  always   yes, until you take it back with `valetkey grants revoke`
  no       no; you are not asked about it again for five minutes
  skip     no answer: the program goes on waiting, and is answered elsewhere or given up\n";
const MEANING_FOR_A_PROCESS: &str = "\
  once     yes, to what it asks for this time; it may ask again
  lock     yes, until it ends, the store is locked or the daemon ends
  no       no; you are not asked about it again for five minutes
  skip     no answer: the program goes on waiting, and is answered elsewhere or given up\n";

const CHOICES: &str =
    "[o]nce, until [l]ock, for 8 [h]ours (h 2 for two), [a]lways, [n]o, or [s]kip: ";
const CHOICES_FOR_A_PROCESS: &str = "[o]nce, until [l]ock or the program ends, [n]o, or [s]kip: ";

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_word_or_its_first_letter() {
        let check = |line: &str, expected: Option<(PromptAnswer, Option<u32>)>| {
            let said = match understand(line, true) {
                Some(Reading::Answer(request)) => Some((request.answer, request.hours)),
                _ => None,
            };
            assert_eq!(said, expected, "{line:?}");
        };
        check("a\n", Some((PromptAnswer::Always, None)));
        check("  Always \n", Some((PromptAnswer::Always, None)));
        check("h", Some((PromptAnswer::Hours, None)));
        check("h 2", Some((PromptAnswer::Hours, Some(2))));
        check("hours 12", Some((PromptAnswer::Hours, Some(12))));
        check("n", Some((PromptAnswer::No, None)));
        for line in ["a", "always", "h", "h 2"] {
            assert!(understand(line, false).is_none(), "{line:?} is not offered");
        }
        for line in ["", "\n", "y", "yes", "a 2", "h two", "h -1", "once more"] {
            check(line, None);
        }
    }
}
