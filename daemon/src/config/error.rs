//! What can be wrong with a configuration, with the place and the way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use valetkey_safe_path::PathError;

use super::app::NO_SECRETS_HERE;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It was asked for by name and cannot be read.
    #[error("read configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could change it, and with it where sign-ins go.
    #[error("use configuration {}: {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// The folder or file that is not to be trusted, and what to do.
        reason: PathError,
    },
    /// It was there, and is not any more.
    #[error(
        "{} is gone; what it said holds until it is there again, or until the next start",
        path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A network mount whose server is gone, perhaps.
    #[error("read configuration {}: the file system does not answer", path.display())]
    NoAnswer {
        /// The file.
        path: PathBuf,
    },
    /// It is no TOML, or a key or value is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong at one place of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    nearest: Option<String>,
}

impl ConfigError {
    /// An error of the TOML reader, whose span leads to the line.
    pub(super) fn from_toml(path: &Path, content: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let line = line_of(content, offset);
        let written = content.lines().nth(line - 1).unwrap_or_default();
        let problem = match error.message().trim() {
            "duplicate key" => Problem::twice(written),
            message => Problem::explain(key_of(written), message),
        };
        let problem = problem.in_list(list_of(content, line));
        Self::Invalid { path: path.into(), line, problem }
    }

    /// A problem that shows only when several values are looked at together.
    pub(super) fn at_key(path: &Path, content: &str, key: &str, text: String) -> Self {
        Self::at_nth_key(path, content, key, 0, text)
    }

    /// The same, of what may be there several times.
    pub(super) fn at_nth_key(
        path: &Path,
        content: &str,
        key: &str,
        index: usize,
        text: String,
    ) -> Self {
        let mut lines = content.lines().enumerate().filter(|(_, line)| line.contains(key));
        let line = lines.nth(index).map_or(1, |(index, _)| index + 1);
        Self::Invalid { path: path.into(), line, problem: Problem { text, nearest: None } }
    }
}

impl Problem {
    /// A key, or a section, of which there is one already.
    fn twice(line: &str) -> Self {
        let what = key_of(line).unwrap_or(line.split('#').next().unwrap_or_default().trim());
        // What stands there may be a value in the wrong place.
        let is_name = key_of(line).is_some() || what.starts_with('[') && !what.contains('"');
        let what = if is_name { format!("`{what}`") } else { "this key".to_owned() };
        Self { text: format!("{what} is there twice; keep one"), nearest: None }
    }

    /// serde's words for an unknown key name it first and all known ones after it, each between backticks.
    fn explain(key: Option<&str>, message: &str) -> Self {
        let text = message.trim().replace('\n', " ");
        let mut names = text.split('`').skip(1).step_by(2);
        let is_unknown = text.starts_with("unknown field") || text.starts_with("unknown variant");
        let nearest = match names.next() {
            Some(unknown) if is_unknown => nearest(unknown, names),
            _ => None,
        };
        let unknown = text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if unknown.is_some_and(names_a_secret) && text.contains("`client_id`") {
            let text =
                format!("{text}; {NO_SECRETS_HERE}, as `secret` of [apps.<name>.credential]");
            return Self { nearest: None, text };
        }
        let nearest = nearest.map(str::to_owned);
        let text = without_value(key, &text).unwrap_or_else(|| {
            let named = text.strip_prefix("missing field ").map(|key| format!("{key} is missing"));
            named.unwrap_or_else(|| text.replacen("unknown field", "unknown key", 1))
        });
        Self { nearest, text }
    }
}

impl Problem {
    /// With the element of a list that an unknown key is in: what follows a `[[…]]` belongs to it, whatever was meant.
    fn in_list(self, list: Option<String>) -> Self {
        let Some(list) = list.filter(|_| self.text.starts_with("unknown key `")) else {
            return self;
        };
        let key = self.text.split('`').nth(1).map(|key| format!("`{key}`")).unwrap_or_default();
        Self { text: self.text.replacen(&key, &format!("{key} in {list}"), 1), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// The same without the value that serde repeats: it may be a secret in the wrong place. None when it repeats none.
fn without_value(key: Option<&str>, text: &str) -> Option<String> {
    let repeats = ["unknown variant", "invalid type", "invalid value", "invalid length"];
    let kind = repeats.iter().find(|kind| text.starts_with(**kind))?;
    let key = key.map_or_else(String::new, |key| format!("`{key}`: "));
    Some(match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{key}must be {}", in_words(expected)),
        None => format!("{key}{kind}"),
    })
}

/// What serde calls by the names of Rust's types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, without quotes",
        "a boolean" => "`true` or `false`, without quotes",
        "a string" => "text in quotes",
        "path string" => "a path in quotes",
        "a sequence" => "a list, as [\"…\"]",
        "a map" => "a section",
        structure if structure.starts_with("struct ") => "a section",
        other => other,
    }
}

/// The key of a line that has one.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (is_plain && !key.is_empty()).then_some(key)
}

/// Whether somebody who writes this key is likely to write a secret behind it.
fn names_a_secret(key: &str) -> bool {
    ["secret", "password", "passphrase", "private_key", "client_credential", "pfx"]
        .iter()
        .any(|word| key.contains(word))
}

/// The element of a list that a line, counted from 1, is in: as `[[rules]] number 1`.
fn list_of(content: &str, line: usize) -> Option<String> {
    let heading = |line: &&str| line.starts_with('[') && line.ends_with(']');
    let lines = content.lines().take(line).map(|line| line.split('#').next().unwrap_or_default());
    let headings: Vec<_> = lines.map(str::trim).filter(heading).collect();
    let last = headings.last().filter(|it| it.starts_with("[["))?;
    let number = headings.iter().filter(|it| *it == last).count();
    Some(format!("{last} number {number}"))
}

fn line_of(content: &str, offset: usize) -> usize {
    content.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The candidate that fewest edits turn the word into, if it takes fewer than half of its letters.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (count_edits(word, candidate), candidate))
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, candidate)| edits * 2 <= candidate.len().max(2))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn count_edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
