//! `/devicelogin`: where a person types the code, picks an account and confirms.

use super::authorize::find_session;
use super::device::{approve, decline, find_waiting};
use super::error::Refusal;
use super::message::{Reply, Request};
use super::pages;
use super::state::State;

/// Answers a GET with the code page, and each POST with the next one.
pub(crate) fn answer(state: &mut State, request: &Request) -> Reply {
    if request.method != "POST" {
        // `otc` is Entra's own name for the code in a link.
        let typed = request.query.get("user_code").or_else(|| request.query.get("otc"));
        return pages::device_code(typed.unwrap_or(""), None);
    }
    let user_code = request.form.get("user_code").unwrap_or("").to_owned();
    take_step(state, request, &user_code)
        .unwrap_or_else(|refusal| pages::device_code(&user_code, Some(&refusal)))
}

fn take_step(state: &mut State, request: &Request, user_code: &str) -> Result<Reply, Refusal> {
    let user_name = request.form.get("username").unwrap_or("").to_owned();
    let client = find_waiting(state, user_code)?.client.clone();
    match request.form.get("action") {
        Some("cancel") => {
            decline(state, user_code)?;
            Ok(pages::message(
                "Sign-in cancelled",
                "Nothing was shared with the application. You may close this window.",
                false,
            ))
        }
        Some("approve") => {
            approve(state, user_code, &user_name)?;
            let text = format!(
                "You have signed in to {} on your device. You may close this window.",
                pages::name_of(&client)
            );
            Ok(pages::message("You're all set", &text, true))
        }
        Some("pick") => match state.find_user(&user_name) {
            Some(user) => Ok(pages::device_confirm(&client, user, user_code)),
            None => {
                let refusal = Refusal::invalid_grant(
                    50_034,
                    "We don't know this user name. Check it and try again.",
                );
                let session = find_session(state, request);
                Ok(pages::device_accounts(
                    state,
                    &client,
                    user_code,
                    &session,
                    Some((&user_name, &refusal)),
                ))
            }
        },
        _ => {
            let session = find_session(state, request);
            Ok(pages::device_accounts(state, &client, user_code, &session, None))
        }
    }
}
