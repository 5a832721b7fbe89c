//! The words in which the person is asked on a desktop.

use valetkey_proto::v1::Prompt;

/// Who asks, and for what. Nothing that a program chooses steers how it is shown.
pub(super) fn describe(prompt: &Prompt) -> String {
    let program = &prompt.program;
    let mut lines = vec![program.path.clone().unwrap_or_else(|| "A hidden program".to_owned())];
    lines.extend(program.unidentified.as_ref().map(|why| format!("unidentified: {why}")));
    if !program.parents.is_empty() {
        lines.push(format!("started by {}", program.parents.join(" < ")));
    }
    let app = prompt.app.as_ref().unwrap_or(&prompt.client_id);
    lines.push(format!("through {app}, at {}", prompt.environment));
    if !prompt.scope.is_empty() {
        lines.push(format!("for {}", prompt.scope));
    }
    if prompt.waiting > 1 {
        lines.push(format!("{} requests wait", prompt.waiting));
    }
    let clean = |line: String| line.replace(valetkey_model::steers_display, "\u{fffd}");
    lines.into_iter().map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use valetkey_proto::v1::AuditedProgram;

    use super::*;

    #[test]
    fn a_question_shows_who_asks_and_nothing_that_steers_the_screen() {
        let prompt = Prompt {
            id: "1".to_owned(),
            since: 0,
            program: AuditedProgram {
                path: Some("/tmp/<b>evil\u{1b}[2J".to_owned()),
                unidentified: Some("an interpreter".to_owned()),
                parents: vec!["/bin/sh".to_owned(), "/usr/bin/term".to_owned()],
                ..AuditedProgram::default()
            },
            processes: vec![7],
            waiting: 2,
            environment: "login.example.com".to_owned(),
            home_account_id: "u.t".to_owned(),
            username: "ada@example.com".to_owned(),
            client_id: "client".to_owned(),
            app: None,
            scope: "User.Read".to_owned(),
            lasting: false,
        };
        assert_eq!(
            describe(&prompt),
            "/tmp/<b>evil\u{fffd}[2J\nunidentified: an interpreter\nstarted by /bin/sh < /usr/bin/term\n\
             through client, at login.example.com\nfor User.Read\n2 requests wait"
        );
    }
}
