//! The two streams that a person or a program reads.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;

use crate::args::Format;
use crate::failure::Failure;
use crate::text::escape_json;

/// How to print, and to what.
pub(crate) struct Console {
    pub(crate) format: Format,
    /// Columns of standard output; none when it is no terminal.
    pub(crate) width: Option<usize>,
    /// Columns of standard error; none when it is no terminal.
    pub(crate) stderr_width: Option<usize>,
    /// Its rows.
    pub(crate) stderr_height: Option<usize>,
    has_colour: bool,
    stderr_has_colour: bool,
}

impl Console {
    pub(crate) fn of_this_process(format: Format) -> Self {
        let wants_colour = wants_colour(&|name| std::env::var(name).ok());
        let width = size(&io::stdout()).map(|size| size.columns);
        let stderr = size(&io::stderr());
        let stderr_width = stderr.map(|size| size.columns);
        Self {
            format,
            width,
            stderr_width,
            stderr_height: stderr.map(|size| size.rows),
            has_colour: wants_colour && width.is_some(),
            stderr_has_colour: wants_colour && stderr_width.is_some(),
        }
    }

    /// No terminal but for its width.
    #[cfg(test)]
    pub(crate) fn plain(width: Option<usize>) -> Self {
        Self {
            format: Format::Text,
            width,
            stderr_width: width,
            stderr_height: None,
            has_colour: false,
            stderr_has_colour: false,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// To standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::output)
    }

    /// To standard output.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        // The wire's types hold strings and numbers alone, which always can be written.
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.print(&(escape_json(&text) + "\n"))
    }

    /// To standard error. When that is closed there is nobody to complain to.
    pub(crate) fn tell(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// A line to standard error.
    pub(crate) fn tell_json(&self, value: &Value) {
        self.tell(&(escape_json(&value.to_string()) + "\n"));
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        if self.has_colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// As [`Self::bold`], for standard error.
    pub(crate) fn bold_told(&self, text: &str) -> String {
        if self.stderr_has_colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn tells_in_colour(&self) -> bool {
        self.stderr_has_colour
    }
}

/// <https://no-color.org>: any value but the empty one.
fn wants_colour(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty())
        && variable("TERM").is_none_or(|value| value != "dumb")
}

/// Of a terminal.
#[derive(Clone, Copy)]
struct Size {
    columns: usize,
    rows: usize,
}

impl Size {
    fn of(found: Option<(terminal_size::Width, terminal_size::Height)>) -> Self {
        found.map_or(FALLBACK, |(width, height)| Self {
            columns: width.0.into(),
            rows: height.0.into(),
        })
    }
}

#[cfg(unix)]
fn size(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<Size> {
    stream.is_terminal().then(|| Size::of(terminal_size::terminal_size_of(stream)))
}

#[cfg(windows)]
fn size(stream: &(impl IsTerminal + std::os::windows::io::AsHandle)) -> Option<Size> {
    stream.is_terminal().then(|| Size::of(terminal_size::terminal_size_of(stream)))
}

const FALLBACK: Size = Size { columns: 80, rows: 24 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_off_when_the_environment_says_so() {
        let check = |name, value: &str, expected| {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            assert_eq!(wants_colour(&variable), expected, "{name}={value}");
        };
        check("NO_COLOR", "1", false);
        check("NO_COLOR", "", true);
        check("TERM", "dumb", false);
        check("TERM", "xterm-256color", true);
    }
}
