//! The daemon's questions in a window of `pinentry`'s, the program by which GnuPG asks: where a desktop shows no notifications.
//! It is spoken to in the Assuan protocol, a line for each command and each answer. It has three buttons.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout};
use valetkey_proto::v1::{AnswerPromptRequest, Prompt, PromptAnswer};

use super::wording::{ask_about, describe};
use crate::hardening::Lookout;
use crate::paths::Lookup;

/// The program, and who starts it.
pub struct Pinentry(Lookout);

/// A window of it.
struct Window {
    said: Lines<BufReader<OwnedReadHalf>>,
    told: OwnedWriteHalf,
}

/// The program to be asked with: the one that the configuration names, else the `pinentry` of the path, where there is a screen.
pub fn find(named: Option<&PathBuf>, lookup: Lookup<'_>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.clone());
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| lookup(name).is_some());
    let path = lookup("PATH").filter(|_| has_screen)?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("pinentry"));
    places.find(|place| place.is_absolute() && place.is_file())
}

impl Pinentry {
    /// The program that this lookout may start, if it may start one.
    pub fn new(lookout: Lookout) -> Self {
        Self(lookout)
    }

    /// Puts a question to the person, and waits for what they say. A window may come while somebody types: a yes that is there
    /// sooner than anybody can read is none, and is asked for once more.
    ///
    /// # Errors
    /// When there is no such program, or it shows no window, or nobody answers in time.
    pub async fn ask(&self, prompt: &Prompt) -> io::Result<AnswerPromptRequest> {
        let start = || {
            let lookout = self.0.clone();
            let started = tokio::task::spawn_blocking(move || lookout.prompt());
            async { started.await.map_err(io::Error::other)? }
        };
        ask_in_windows(start, prompt).await
    }
}

async fn ask_in_windows<F: Future<Output = io::Result<StdStream>>>(
    start: impl Fn() -> F,
    prompt: &Prompt,
) -> io::Result<AnswerPromptRequest> {
    let begun = Instant::now();
    let asking = async {
        loop {
            let said = Window::open(start().await?)?.ask(prompt).await?;
            if can_be_meant(said.answer, begun.elapsed()) {
                return Ok(said);
            }
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Window {
    fn open(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (said, told) = UnixStream::from_std(stream)?.into_split();
        Ok(Self { said: BufReader::new(said).lines(), told })
    }

    async fn ask(&mut self, prompt: &Prompt) -> io::Result<AnswerPromptRequest> {
        self.expect_ok().await?;
        for (command, text) in [
            ("SETTITLE", "valetkey".to_owned()),
            ("SETDESC", format!("{}\n\n{}", ask_about(prompt), describe(prompt))),
            // The letter after the line is the button's key. The first one every pinentry has, and with some it is the Enter key's:
            // what gives least beside the no.
            ("SETOK", "_Once".to_owned()),
            ("SETNOTOK", if prompt.lasting { "_Until lock" } else { "While it r_uns" }.to_owned()),
            ("SETCANCEL", "_No".to_owned()),
            ("SETTIMEOUT", TIMEOUT_SECONDS.to_string()),
        ] {
            self.tell(&format!("{command} {}", escape(&text))).await?;
            self.expect_ok().await?;
        }
        self.tell("CONFIRM").await?;
        let answer = match self.hear().await?.as_deref() {
            None => PromptAnswer::Once,
            Some(refusal) if has_code(refusal, NOT_CONFIRMED) => PromptAnswer::UntilLock,
            Some(refusal) if has_code(refusal, TIMED_OUT) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Some(refusal) if has_code(refusal, CANCELED) => PromptAnswer::No,
            Some(refusal) => return Err(io::Error::other(refusal.to_owned())),
        };
        Ok(AnswerPromptRequest { answer, hours: None })
    }

    async fn tell(&mut self, line: &str) -> io::Result<()> {
        self.told.write_all(format!("{line}\n").as_bytes()).await
    }

    /// What it answers: nothing wrong, or what is.
    async fn hear(&mut self) -> io::Result<Option<String>> {
        loop {
            let line = self.said.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("OK", _) => return Ok(None),
                ("ERR", refusal) => return Ok(Some(refusal.to_owned())),
                // Comments and status lines.
                _ => {}
            }
        }
    }

    async fn expect_ok(&mut self) -> io::Result<()> {
        self.hear().await?.map_or(Ok(()), |refusal| Err(io::Error::other(refusal)))
    }
}

fn can_be_meant(answer: PromptAnswer, after: Duration) -> bool {
    answer == PromptAnswer::No || after >= READING
}

/// What would end a line, or begin an escape.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The lower sixteen bits of libgpg-error's numbers; above them is who says so.
fn has_code(refusal: &str, code: u32) -> bool {
    let number = refusal.split(' ').next().and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number & 0xffff == code)
}

/// `GPG_ERR_CANCELED`: the third button, or the window was closed.
const CANCELED: u32 = 99;
/// `GPG_ERR_NOT_CONFIRMED`: the second button.
const NOT_CONFIRMED: u32 = 114;

/// `GPG_ERR_TIMEOUT`.
const TIMED_OUT: u32 = 62;

/// Sooner nobody has read who asks for what.
const READING: Duration = Duration::from_secs(1);

/// As long as a request waits.
const TIMEOUT_SECONDS: u32 = 90;

/// For a program that does not keep to that: the next question must not wait for it.
const PATIENCE: Duration = Duration::from_secs(TIMEOUT_SECONDS as u64 + 10);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_yes_that_nobody_can_have_read_is_none() {
        let early = READING - Duration::from_millis(1);
        for (answer, after, expected) in [
            (PromptAnswer::Once, early, false),
            (PromptAnswer::UntilLock, early, false),
            (PromptAnswer::No, Duration::ZERO, true),
            (PromptAnswer::Once, READING, true),
        ] {
            assert_eq!(can_be_meant(answer, after), expected, "{answer:?} {after:?}");
        }
    }

    fn question() -> Prompt {
        Prompt {
            id: "1".to_owned(),
            since: 0,
            program: valetkey_proto::v1::AuditedProgram::default(),
            processes: Vec::new(),
            waiting: 1,
            environment: "login.example.com".to_owned(),
            home_account_id: "u.t".to_owned(),
            username: "ada@example.com".to_owned(),
            client_id: "client".to_owned(),
            app: None,
            scope: String::new(),
            lasting: true,
            seen: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_never_says_what_was_pressed_is_waited_for_for_a_hundred_seconds() {
        let (ours, mut programs) = StdStream::pair().unwrap();
        // It greets, takes each command, and says nothing to the last one.
        programs.write_all("OK\n".repeat(7).as_bytes()).unwrap();
        let ours = std::cell::Cell::new(Some(ours));
        let begun = Instant::now();
        let start = || std::future::ready(Ok(ours.take().unwrap()));
        let said = ask_in_windows(start, &question()).await;
        assert_eq!(said.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 100);
        let mut told = String::new();
        programs.read_to_string(&mut told).unwrap();
        assert!(told.contains("\nSETTIMEOUT 90\n") && told.ends_with("\nCONFIRM\n"), "{told}");
    }

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(escape("100%\r\nBYE"), "100%25%0D%0ABYE");
    }

    #[test]
    fn a_button_is_known_whoever_reports_it() {
        assert!(has_code("83886179 Operation cancelled <Pinentry>", CANCELED));
        assert!(has_code("83886194 Not confirmed <Pinentry>", NOT_CONFIRMED));
        assert!(!has_code("83886142 Timeout <Pinentry>", CANCELED));
        assert!(!has_code("none", CANCELED));
    }

    #[test]
    fn the_program_is_looked_for_where_there_is_a_screen() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pinentry");
        std::fs::File::create(&program).unwrap();
        let check = |named: Option<&PathBuf>, screen: Option<&str>, expected: Option<PathBuf>| {
            let lookup = |name: &str| match name {
                "PATH" => Some(folder.path().as_os_str().to_owned()),
                _ => screen.filter(|it| *it == name).map(|_| ":1".into()),
            };
            assert_eq!(find(named, &lookup), expected);
        };
        check(None, None, None);
        check(None, Some("DISPLAY"), Some(program.clone()));
        check(None, Some("WAYLAND_DISPLAY"), Some(program));
        let named = PathBuf::from("/opt/pinentry");
        check(Some(&named), None, Some(named.clone()));
    }
}
