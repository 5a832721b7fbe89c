//! Text that somebody else wrote, for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Without control characters, with which a name or an error could write anywhere on the screen.
pub(crate) fn clean(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// How many columns it takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// At most so many columns of it, with an ellipsis for what is left out.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = columns.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        short.push(c);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// As a word that a POSIX shell takes for one.
pub(crate) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reversals_lose_their_power() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(clean("Zoë 李"), "Zoë 李");
    }

    #[test]
    fn shortened_text_never_takes_more_than_its_columns() {
        for (text, columns, expected) in [
            ("ada@contoso.com", 15, "ada@contoso.com"),
            ("ada@contoso.com", 8, "ada@con…"),
            ("李李李", 6, "李李李"),
            ("李李李", 5, "李李…"),
            ("李李李", 4, "李…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(shorten(text, columns), expected);
            assert!(width(expected) <= columns);
        }
    }

    #[test]
    fn a_quoted_word_stays_one_word() {
        assert_eq!(quote("User.Read"), "User.Read");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("$(x)"), "'$(x)'");
    }
}
