//! What a target takes off the front of its input, and the word by which it follows secrets.

use serde_json::Value;

/// Input that is left. Everything has an answer at its end too, so that no input is lost.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; 0 when there is none.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// One of a list, by the next byte.
    pub(crate) fn choose<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }

    /// As far as the next line break, which is left out.
    pub(crate) fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        line
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The same, if it is text.
    pub(crate) fn text(self) -> Option<&'a str> {
        str::from_utf8(self.0).ok()
    }
}

/// Stands for a secret: where it was only ever put into secret members, no text that is shown may have it.
pub(crate) const CANARY: &str = "CANARY";

/// True when the canary is in no key, and in the value of no member but those that are secret.
pub(crate) fn is_only_in_secrets(value: &Value, is_secret: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, value)| {
            !name.contains(CANARY) && (is_secret(name) || is_only_in_secrets(value, is_secret))
        }),
        Value::Array(values) => values.iter().all(|value| is_only_in_secrets(value, is_secret)),
        Value::String(text) => !text.contains(CANARY),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Fails when a text that somebody gets to see has the canary in it.
pub(crate) fn assert_silent(shown: impl AsRef<str>) {
    let shown = shown.as_ref();
    assert!(!shown.contains(CANARY), "a secret is told: {shown}");
}

/// The same for both forms of an error.
pub(crate) fn assert_error_silent(error: &(impl std::error::Error + ?Sized)) {
    assert_silent(error.to_string());
    assert_silent(format!("{error:?}"));
}
