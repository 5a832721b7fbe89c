//! Text that somebody else wrote, for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use valetkey_model::steers_display;

/// Without what steers a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.replace(steers_display, "\u{fffd}")
}

/// The same in one line, without gaps in which what follows could be taken for a line of its own.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// JSON with the same meaning, in which nothing steers a terminal. JSON itself escapes only what is below U+0020, and what
/// is above stands in its texts alone.
pub(crate) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character >= '\u{7f}' && steers_display(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
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

/// At most so many columns of a path: its end, from the beginning of a name if there is room for the last one.
pub(crate) fn shorten_path(path: &str, columns: usize) -> String {
    if width(path) <= columns {
        return path.to_owned();
    }
    let mut shortened = separators(path).map(|at| format!("…{}", &path[at..]));
    shortened.find(|short| width(short) <= columns).unwrap_or_else(|| end_of(path, columns))
}

/// How many columns its last name takes, shortened as by [`shorten_path`].
pub(crate) fn width_of_last_name(path: &str) -> usize {
    separators(path).last().map_or_else(|| width(path), |at| width(&path[at..]) + 1)
}

/// Where names begin that others come before.
fn separators(path: &str) -> impl Iterator<Item = usize> {
    let characters = path.char_indices();
    characters.filter(|(at, c)| *at > 0 && matches!(c, '/' | '\\')).map(|(at, _)| at)
}

fn end_of(text: &str, columns: usize) -> String {
    let mut left = columns.saturating_sub(1);
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        begin = at;
    }
    if columns > 0 { format!("…{}", &text[begin..]) } else { String::new() }
}

/// In lines of at most so many columns; a word that is longer has a line of its own.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
        for hidden in
            ["\u{200b}", "\u{200f}", "\u{2066}", "\u{2069}", "\u{feff}", "\u{9b}", "\u{7f}"]
        {
            assert_eq!(clean(hidden), "\u{fffd}", "{hidden:?}");
        }
    }

    #[test]
    fn printed_json_means_the_same_and_steers_nothing() {
        let value = serde_json::json!({ "a\u{9b}": "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{200f}\u{feff} Zoë 李\u{e0041}\n" });
        let printed = escape_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!printed.contains(|c: char| c != '\n' && steers_display(c)), "{printed:?}");
        assert!(
            printed.contains("\\u009b31m\\u007f\\u202e\\u200f\\ufeff Zoë 李\\udb40\\udc41"),
            "{printed}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
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
    fn of_a_path_the_end_stays() {
        for (path, columns, expected) in [
            ("/usr/bin/curl", 13, "/usr/bin/curl"),
            ("/usr/bin/curl", 12, "…/bin/curl"),
            ("/usr/bin/curl", 9, "…/curl"),
            ("/usr/bin/curl", 4, "…url"),
            ("/usr/bin/curl", 0, ""),
            ("/curl", 2, "…l"),
            ("C:\\Tools\\curl.exe", 12, "…\\curl.exe"),
            ("process 7 (unidentified)", 5, "…ied)"),
        ] {
            assert_eq!(shorten_path(path, columns), expected);
            assert!(width(expected) <= columns);
        }
    }

    #[test]
    fn wrapped_text_loses_no_word() {
        for (columns, expected) in [
            (80, &["李 knows a-long-word well"][..]),
            (8, &["李 knows", "a-long-word", "well"]),
            (0, &["李", "knows", "a-long-word", "well"]),
        ] {
            assert_eq!(wrap("李 knows  a-long-word well", columns), expected);
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
