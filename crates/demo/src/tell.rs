//! How the story is printed: colour on a terminal only, and not with `NO_COLOR`. It ends where nobody reads on.

use std::io::{self, IsTerminal as _, Write as _};

/// Prints the story.
pub struct Teller {
    colour: bool,
    chapter: u32,
}

impl Teller {
    /// A teller for standard output.
    pub fn new() -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, chapter: 0 }
    }

    /// The first line.
    pub fn title(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "\n{}", self.paint("1", text))
    }

    /// A new chapter.
    pub fn chapter(&mut self, text: &str) -> io::Result<()> {
        self.chapter += 1;
        writeln!(io::stdout(), "\n{}", self.paint("1;36", &format!("{}. {text}", self.chapter)))
    }

    /// Something that happened.
    pub fn say(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "   {text}")
    }

    /// Something that was claimed, checked, and holds.
    pub fn holds(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "   {} {text}", self.paint("32", "✓"))
    }

    /// A figure of this run.
    pub fn figure(&self, what: &str, value: &str) -> io::Result<()> {
        writeln!(io::stdout(), "   {what:<58}{}", self.paint("1", value))
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
