//! What a person may have meant who typed a name that there is not.

/// As a question, with a space behind it; empty when nothing comes near. As near as clap wants it for options.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let word = word.to_lowercase();
    let likeness = |name: &str| strsim::jaro(&word, &name.to_lowercase());
    let nearest = names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, name)| *likeness > NEAR && !name.is_empty())
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, name)| format!("did you mean `{name}`? ")).unwrap_or_default()
}

const NEAR: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_when_it_comes_near() {
        let names = ["mail", "calendar", "ada@contoso.com", ""];
        for (word, expected) in [
            ("mial", "did you mean `mail`? "),
            ("MAIL", "did you mean `mail`? "),
            ("calender", "did you mean `calendar`? "),
            ("ada", "did you mean `ada@contoso.com`? "),
            ("post", ""),
            ("bob@fabrikam.org", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(word, names), expected, "{word}");
        }
    }
}
