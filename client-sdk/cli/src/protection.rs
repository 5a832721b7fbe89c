//! How the store's key is protected, and which better provider had none, in lines for a person.

/// The daemon's one sentence: first what protects the key, then each provider that did not work, with the reason in a few
/// words. All of them are in `--output json`.
pub(crate) fn lines_of(protection: &str) -> Vec<String> {
    let parts: Vec<&str> = protection.split(FAILED).collect();
    let (mut lines, mut provider) = (Vec::new(), "");
    for (number, part) in parts.iter().enumerate() {
        let is_last = number + 1 == parts.len();
        let (text, next) = part.rsplit_once("; ").filter(|_| !is_last).unwrap_or((part, ""));
        lines.push(match provider {
            "" => text.to_owned(),
            provider => format!("no {provider}: {}", brief(text)),
        });
        provider = next;
    }
    lines
}

/// Without what a library says in brackets, and without advice.
fn brief(reason: &str) -> &str {
    reason.split([';', '(']).next().unwrap_or_default().trim_end()
}

const FAILED: &str = " did not work: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_that_did_not_work_has_a_line() {
        let told = "/state/key-1: by its permissions; keyring did not work: no keyring can be reached (I/O: no; such \
                    file); start one; credential did not work: none was given; add one to the unit";
        assert_eq!(
            lines_of(told),
            [
                "/state/key-1: by its permissions",
                "no keyring: no keyring can be reached",
                "no credential: none was given"
            ]
        );
        assert_eq!(lines_of("in the keyring; unlocked"), ["in the keyring; unlocked"]);
    }
}
