//! The words in which the person is asked on a desktop.

use valetkey_proto::v1::Prompt;

/// The question.
pub(super) fn ask_about(prompt: &Prompt) -> String {
    clean(&format!("May it use {}?", prompt.username))
}

/// Who asks, and for what. Nothing that a program or a provider chooses steers how it is shown.
pub(super) fn describe(prompt: &Prompt) -> String {
    let program = &prompt.program;
    let mut lines = vec![program.path.clone().unwrap_or_else(|| "A hidden program".to_owned())];
    lines.extend(program.unidentified.as_ref().map(|why| format!("unidentified: {why}")));
    lines.push(program.describe_process());
    if !program.parents.is_empty() {
        lines.push(format!("started by {}", program.describe_parents()));
    }
    let app = prompt.app.as_ref().unwrap_or(&prompt.client_id);
    lines.push(format!("through {app}, at {}", prompt.environment));
    if !prompt.scope.is_empty() {
        lines.push(format!("for {}", prompt.scope));
    }
    if prompt.waiting > 1 {
        lines.push(format!("{} requests wait", prompt.waiting));
    }
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n")
}

/// One line, of which a screen has room for some.
fn clean(line: &str) -> String {
    let shown = line.chars().take(MOST_CHARACTERS);
    let mut shown: String =
        shown.map(|it| if valetkey_model::steers_display(it) { '\u{fffd}' } else { it }).collect();
    if line.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// Of a line: a path may have more, and then a look at it on a desktop tells nothing.
const MOST_CHARACTERS: usize = 300;

#[cfg(test)]
mod tests {
    use valetkey_proto::v1::AuditedProgram;

    use super::*;

    #[test]
    fn a_text_from_outside_is_one_line_of_some_length() {
        assert_eq!(
            clean("bob\u{1b}[31m\u{202e}moc\n/usr/bin/ok"),
            "bob\u{fffd}[31m\u{fffd}moc\u{fffd}/usr/bin/ok"
        );
        assert_eq!(clean(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(clean(&"x".repeat(9000)), format!("{}…", "x".repeat(300)));
    }

    #[test]
    fn a_question_shows_who_asks_and_nothing_that_steers_the_screen() {
        let prompt = Prompt {
            id: "1".to_owned(),
            since: 0,
            program: AuditedProgram {
                path: Some("/tmp/<b>evil\u{1b}[2J".to_owned()),
                process: Some(28733),
                unidentified: Some("an interpreter".to_owned()),
                script: Some("app\u{1b}.py".to_owned()),
                parents: ["/bin/sh", "/bin/sh", "/usr/bin/term"].map(str::to_owned).to_vec(),
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
            seen: false,
        };
        assert_eq!(
            describe(&prompt),
            "/tmp/<b>evil\u{fffd}[2J\nunidentified: an interpreter\n\
             process 28733, says it runs app\u{fffd}.py\nstarted by /bin/sh < /usr/bin/term\n\
             through client, at login.example.com\nfor User.Read\n2 requests wait"
        );
    }
}
