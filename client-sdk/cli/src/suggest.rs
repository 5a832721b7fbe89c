//! What a person may have meant who typed a name that there is not.

/// As a question, with a space behind it; empty when nothing comes near.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let word = word.to_lowercase();
    let likeness = |name: &str| likeness(&word, &name.to_lowercase());
    let nearest = names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, name)| *likeness > NEAR && !name.is_empty())
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, name)| format!("did you mean `{name}`? ")).unwrap_or_default()
}

/// Whether a person may have meant this name by that word.
pub(crate) fn is_near(word: &str, name: &str) -> bool {
    likeness(&word.to_lowercase(), &name.to_lowercase()) > NEAR
}

/// The domain of a user name is the same for everybody who works there, and may be left out.
fn likeness(word: &str, name: &str) -> f64 {
    let (who, domain) = name.split_once('@').unwrap_or((name, ""));
    let (typed_who, typed_domain) = word.split_once('@').unwrap_or((word, domain));
    strsim::jaro(typed_who, who).min(strsim::jaro(typed_domain, domain))
}

/// A letter or two that were left out, doubled or swapped. Below that it is another word.
const NEAR: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_when_it_comes_near() {
        let names = ["mail", "calendar", "logout", "ada@contoso.com", ""];
        for (word, expected) in [
            ("mial", "did you mean `mail`? "),
            ("MAIL", "did you mean `mail`? "),
            ("calender", "did you mean `calendar`? "),
            ("ada", "did you mean `ada@contoso.com`? "),
            ("adda@contso.com", "did you mean `ada@contoso.com`? "),
            ("post", ""),
            ("bogus", ""),
            ("bob@contoso.com", ""),
            ("ada@fabrikam.org", ""),
            ("calendar@contoso.com", ""),
            ("bob@fabrikam.org", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(word, names), expected, "{word}");
        }
    }
}
