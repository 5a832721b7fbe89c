//! What an interpreter says that it runs: a file's name from its command line, proc_pid_cmdline(5).
//!
//! A process writes there what it likes. The name is a hint for a person who knows their programs, and decides nothing. The rest
//! of a command line may hold secrets, and is not told.

use std::fs::File;
use std::io::Read;

/// The name of the file, without its folder.
pub(super) fn script_of(number: u32) -> Option<String> {
    let mut line = Vec::new();
    // A command line may have megabytes, and the file is among its first words.
    let file = File::open(format!("/proc/{number}/cmdline")).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut line).ok()?;
    name_in(&line)
}

/// Of the first argument that is no option, if that looks like a file. What follows `-c` and its like is no file, and what
/// follows another option may be that option's value, which is not guessed at beyond its look.
fn name_in(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let first = line.split('\0').skip(1).find(|it| !it.starts_with('-') || is_code(it))?;
    let is_name = |letter: char| letter.is_alphanumeric() || "._-+/@~".contains(letter);
    let looks_like_a_file = !is_code(first)
        && first.chars().all(is_name)
        && (first.contains('/') || has_extension(first));
    let name = first.rsplit('/').next().filter(|name| looks_like_a_file && !name.is_empty())?;
    Some(name.chars().take(MOST_CHARACTERS).collect())
}

/// The options after which, or in which, interpreters take code or a module's name, by themselves or with others in one word.
fn is_code(argument: &str) -> bool {
    let is_long = argument.starts_with("--eval") || argument.starts_with("--print");
    let letters = argument.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    is_long || letters.is_some_and(|letters| letters.contains(['c', 'e', 'E', 'm', 'n', 'p', 'r']))
}

fn has_extension(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| {
        let is_short = (1..=5).contains(&extension.len());
        !stem.is_empty() && is_short && extension.chars().all(|it| it.is_ascii_alphanumeric())
    })
}

const MOST_BYTES: u64 = 4096;
const MOST_CHARACTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_and_no_other_word_of_the_command_line() {
        for (line, expected) in [
            ("python\0app.py\0--password\0hunter2\0", Some("app.py")),
            ("python\0-u\0/srv/ada/secret/app.py\0", Some("app.py")),
            ("node\0--inspect\0./server.js\0", Some("server.js")),
            ("bash\0/usr/local/bin/deploy\0", Some("deploy")),
            ("bash\0-c\0curl -u ada:hunter2 https://a.example/x.sh\0", None),
            ("python\0-m\0http.server\0", None),
            ("python\0-uIc\0https://ada:hunter2@a.example/pw.hunter2\0", None),
            ("python\0-cimport os\0app.py\0", None),
            ("bash\0-ec\0/bin/true hunter2.x\0", None),
            ("node\0--eval=1/hunter2\0x.js\0", None),
            ("pwsh\0-Command\0./x.ps1\0", None),
            ("awk\0{print $1/2}\0x.csv\0", None),
            ("python\0-W\0ignore\0app.py\0", None),
            ("bash\0deploy\0hunter2.x\0", None),
            ("python\0/tmp/\0", None),
            ("title that it gave itself /x.py", None),
            ("python\0", None),
            ("", None),
        ] {
            assert_eq!(name_in(line.as_bytes()).as_deref(), expected, "{line:?}");
        }
        let long = format!("python\0{}.py\0", "x".repeat(4000));
        assert_eq!(name_in(long.as_bytes()).map(|name| name.len()), Some(MOST_CHARACTERS));
    }
}
