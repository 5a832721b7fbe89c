//! What the person has answered.

use valetkey_policy::Word;
use valetkey_proto::v1::{AnswerPromptRequest, PromptAnswer};

use crate::consent::Answer;
use crate::failure::Failure;

/// An answer to a prompt.
///
/// # Errors
/// When the hours do not go with it, or cannot be.
pub fn prompt_answer(request: &AnswerPromptRequest) -> Result<Answer, Failure> {
    let hours = match (request.answer, request.hours) {
        (PromptAnswer::Hours, None) => USUAL_HOURS,
        (PromptAnswer::Hours, Some(hours)) if (1..=MOST_HOURS).contains(&hours) => hours,
        (PromptAnswer::Hours, Some(_)) => {
            return Err(Failure::bad_member("hours", format!("must be 1 to {MOST_HOURS}")));
        }
        (_, None) => 0,
        (_, Some(_)) => return Err(Failure::bad_member("hours", "goes with the answer `hours`")),
    };
    let (word, seconds) = match request.answer {
        PromptAnswer::Once => (Word::Once, None),
        PromptAnswer::UntilLock => (Word::UntilLock, None),
        PromptAnswer::Hours => (Word::ForTime, Some(i64::from(hours) * 3600)),
        PromptAnswer::Always => (Word::Always, None),
        PromptAnswer::No => (Word::No, Some(PAUSE_SECONDS)),
    };
    Ok(Answer { word, seconds })
}

/// A working day.
const USUAL_HOURS: u32 = 8;

/// A year.
const MOST_HOURS: u32 = 8760;

/// For so long a no is not asked about again.
const PAUSE_SECONDS: i64 = 300;
