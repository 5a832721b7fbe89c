//! What to do or to type next, by error code: the daemon's hints are for programs that call it.

use std::borrow::Cow;

use valetkey_client::Error;
use valetkey_client::v1::{ERROR_CODES, ErrorBody, ErrorCode};

use crate::time::span;

/// For the person at the command line; empty when there is nothing to do.
pub(crate) fn next_step(error: &Error) -> Cow<'_, str> {
    let Some(body) = error.body() else { return error.hint().unwrap_or_default().into() };
    match ERROR_CODES.iter().find(|row| row.text == body.error) {
        Some(row) => match particular_hint(error) {
            Some(hint) if matches!(row.code, ErrorCode::AccessDenied | ErrorCode::StoreLocked) => {
                hint.into()
            }
            _ => of_code(row.code, body),
        },
        None if error.is_sign_in_needed() => SIGN_IN.into(),
        None if body.retry_after.is_some() => wait(body).into(),
        // The provider's own words are all that is known.
        None => "".into(),
    }
}

/// What the daemon says beside the table's advice, which is for programs.
pub(crate) fn particular_hint(error: &Error) -> Option<&str> {
    let hint = error.body()?.hint.as_deref()?;
    let row = ERROR_CODES.iter().find(|row| error.is(row.code))?;
    (hint != row.action).then_some(hint)
}

fn of_code(code: ErrorCode, body: &ErrorBody) -> Cow<'static, str> {
    use ErrorCode as Code;
    let step = match code {
        Code::BadRequest => "look at what you typed: `--help` tells what each option takes",
        Code::ReservedScope => "leave it out",
        Code::InvalidAuthority => "correct the authority, in the command or in the configuration",
        Code::InvalidCredential => "correct the application's credential",
        Code::StateMismatch | Code::IssuerMismatch | Code::NonceMismatch => {
            "run `valetkey login` again; if this comes back, somebody may be interfering"
        }
        // Such a text goes on, behind its semicolon, with what to do.
        Code::AccessDenied if body.error_description.contains("; ") => "",
        Code::AccessDenied => {
            "if it was not you who said no, it was `[policy]` in the daemon's configuration"
        }
        Code::BrowserRefused
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::PayloadTooLarge
        | Code::UnsupportedMediaType => "install the daemon and this program in the same release",
        Code::UnknownApp => "`valetkey apps` lists those that there are",
        Code::UnknownAccount => "`valetkey accounts` lists who has signed in",
        Code::UnknownGrant => "`valetkey grants` lists those that there are",
        Code::UnknownPrompt => "`valetkey grants watch` shows those that wait",
        Code::UnknownFlow | Code::FlowClosed | Code::FlowTimedOut | Code::FlowCancelled => {
            "run `valetkey login` again"
        }
        Code::SignInNeeded => SIGN_IN,
        Code::AccountAmbiguous => "name one with `--account`",
        Code::ClientAssertionNeeded => "only the program that makes the assertions can ask for it",
        Code::FederationRefused => {
            "run `valetkey login`: a browser works where a password does not"
        }
        Code::StoreLocked if body.error_description.contains("keyring") => {
            "unlock the keyring, or run `valetkey unlock`; then try again"
        }
        Code::StoreLocked => "run `valetkey unlock`; then try again",
        Code::Throttled | Code::ProviderUnavailable => return wait(body).into(),
        Code::TooManyRequests if body.retry_after.is_some() => return wait(body).into(),
        Code::TooManyRequests => "finish or cancel a sign-in that is open, then try again",
        Code::ProviderUnreachable => {
            "check the network, and HTTPS_PROXY and SSL_CERT_FILE where it needs them, which the daemon reads at its start"
        }
        Code::ProviderMisbehaved => {
            "try again later, and look whether the network wants you to sign in to it"
        }
        Code::Internal => {
            return format!("report it with the correlation id {}", body.correlation_id).into();
        }
        Code::StoreUnavailable => "free some space, then try again; nobody has to sign in again",
        Code::ShuttingDown => "try again in a moment",
    };
    step.into()
}

fn wait(body: &ErrorBody) -> String {
    match body.retry_after.and_then(|seconds| i64::try_from(seconds).ok()) {
        Some(seconds) => format!("try again in {}", span(seconds)),
        None => "try again later".to_owned(),
    }
}

const SIGN_IN: &str = "run `valetkey login`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_names_what_only_a_program_can_do() {
        for row in ERROR_CODES {
            let body = ErrorBody { correlation_id: "7".to_owned(), ..ErrorBody::default() };
            let step = of_code(row.code, &body);
            assert!(!step.is_empty(), "{}", row.text);
            for word in ["/v1", "POST", "member", "retry_after", "Start a flow"] {
                assert!(!step.contains(word), "{}: {step}", row.text);
            }
        }
    }

    #[test]
    fn advice_that_an_error_has_is_not_contradicted() {
        let denied = |text: &str| {
            let error_description = text.to_owned();
            of_code(
                ErrorCode::AccessDenied,
                &ErrorBody { error_description, ..ErrorBody::default() },
            )
        };
        assert_eq!(denied("this broker does not speak to it; its administrator can add it"), "");
        assert!(denied("they said no").contains("`[policy]`"));
    }

    #[test]
    fn the_keyring_is_named_where_it_is_what_is_locked() {
        let locked = |text: &str| {
            let error_description = text.to_owned();
            of_code(
                ErrorCode::StoreLocked,
                &ErrorBody { error_description, ..ErrorBody::default() },
            )
        };
        assert!(locked("the keyring is locked").contains("unlock the keyring"));
        assert_eq!(locked("it was locked"), "run `valetkey unlock`; then try again");
    }

    #[test]
    fn a_pause_is_told_in_the_units_of_people() {
        let body = ErrorBody { retry_after: Some(90), ..ErrorBody::default() };
        for code in [ErrorCode::Throttled, ErrorCode::TooManyRequests] {
            assert_eq!(of_code(code, &body), "try again in 1 min 30 s");
        }
        assert_eq!(of_code(ErrorCode::Throttled, &ErrorBody::default()), "try again later");
    }
}
