//! What a person sees of `valetkey`: at a terminal, at one without colours, and where nobody looks.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::Command;
use tokio::sync::mpsc;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, CLIENT_ID, Machine, Program, SCOPE, World, patiently};

/// What a program writes to a terminal of eighty columns, as it comes.
struct Terminal {
    pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// A terminal, and the end of it that a program gets.
    fn open() -> (Self, OwnedFd) {
        Self::with_rows(50)
    }

    fn with_rows(rows: u16) -> (Self, OwnedFd) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let size = Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let (sender, pieces) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let (mut ours, mut piece) = (File::from(ours), [0; 4096]);
            // Reading fails once no program has it open any more.
            while let Ok(length @ 1..) = ours.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        (Self { pieces, seen: String::new() }, theirs)
    }

    /// Waits for these words.
    async fn shows(&mut self, words: &str) {
        while !self.seen.contains(words) {
            assert!(self.take_piece().await, "{words:?} never came: {:?}", self.seen);
        }
    }

    /// All that is written until the program ends.
    async fn read_to_end(mut self) -> String {
        while self.take_piece().await {}
        self.seen
    }

    async fn take_piece(&mut self) -> bool {
        match patiently("the terminal", self.pieces.recv()).await {
            // A character that is cut in two looks odd here, and is none that a test waits for.
            Some(piece) => self.seen += &String::from_utf8_lossy(&piece),
            None => return false,
        }
        true
    }
}

/// `valetkey login` with a code, for an application that no configuration knows.
fn login(world: &World) -> Command {
    let mut command = world.machine.command(Program::Cli);
    command.args(["login", "--device-code", "--client-id", CLIENT_ID, "--no-validate-authority"]);
    command.args(["--authority", &world.entra.authority("common"), "--scope", SCOPE]);
    command.env("TERM", "xterm-256color");
    command
}

/// Signs in at a terminal, and returns all that was written to it.
async fn sign_in_at_a_terminal(no_color: &str, rows: u16) -> String {
    let world = World::start().await;
    let (mut terminal, theirs) = Terminal::with_rows(rows);
    let mut command = login(&world);
    command.env("NO_COLOR", no_color);
    command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut running = command.spawn().unwrap();
    // It holds the terminal open.
    drop(command);
    // The second of its frames: it turns.
    terminal.shows("⠙ waiting for the sign-in").await;
    world.control().approve_device(&code_in(&terminal.seen), ALICE).unwrap();
    assert!(patiently("the end", running.wait()).await.unwrap().success(), "{}", terminal.seen);
    terminal.read_to_end().await
}

fn code_in(told: &str) -> String {
    let plain = without_colours(told);
    let rest = plain.split("type the code  ").nth(1).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// The text without `ESC [ … m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(|c: char| !c.is_ascii_digit() && c != ';') {
            Some((numbers, rest)) if part[numbers.len()..].starts_with('m') => plain += rest,
            _ => plain += &format!("\x1b[{part}"),
        }
    }
    plain
}

/// What is left on the screen: a line that was erased begins anew.
fn left_on_screen(text: &str) -> String {
    let lines = text.lines().map(|line| line.rsplit("\x1b[K").next().unwrap_or_default());
    lines.map(|line| format!("{line}\n")).collect()
}

/// How many lines are drawn in half blocks.
fn drawn_lines(text: &str) -> usize {
    text.lines().filter(|line| line.contains(['▀', '▄', '█'])).count()
}

#[tokio::test]
async fn at_a_terminal_there_is_a_code_to_scan_one_to_type_and_a_sign_of_life_that_goes_away() {
    let seen = sign_in_at_a_terminal("", 50).await;
    assert!(seen.contains("\x1b[1m") && drawn_lines(&seen) > 10, "{seen}");
    let left = left_on_screen(&without_colours(&seen));
    assert!(!left.contains("waiting for the sign-in") && !left.contains('\x1b'), "{left}");
    assert!(left.trim_end().lines().last().unwrap().starts_with("Signed in as alice"), "{left}");
}

#[tokio::test]
async fn a_terminal_without_colours_gets_none() {
    let seen = sign_in_at_a_terminal("1", 50).await;
    assert_eq!(without_colours(&seen), seen);
    assert!(drawn_lines(&seen) > 10, "{seen}");
    let left = left_on_screen(&seen);
    assert!(!left.contains('\x1b') && !left.contains("waiting for the sign-in"), "{left}");
}

#[tokio::test]
async fn the_code_to_scan_comes_first_and_scrolls_nothing_away() {
    for rows in [50, 24, 10] {
        let seen = sign_in_at_a_terminal("1", rows).await;
        let told = seen.split("⠋ waiting").next().unwrap();
        let lines = told.lines().count() + 1;
        assert!(lines <= rows.into(), "{rows}: {lines}\n{told}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        let picture = drawn_lines(told.split("To sign in, open").next().unwrap());
        assert_eq!(picture, drawn_lines(&seen), "{seen}");
        assert_eq!(picture > 10, rows != 10, "{rows}: {seen}");
    }
}

#[tokio::test]
async fn tables_fit_eighty_columns_and_leave_whole_what_a_person_types() {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[policy]\nconsent = \"ask\"\n");
    machine.launch().await;
    let world = World::of(machine, Options::default()).await;
    let mut caller = world.signed_in(ALICE).await;
    let account = caller.accounts().await[0]["home_account_id"].as_str().unwrap().to_owned();
    let grants = world.machine.get("/v1/grants").await.success();
    let grant = grants["grants"][0]["id"].as_str().unwrap().to_owned();
    assert!(grant.starts_with('g'), "it looks like no option: {grant}");
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    for (verb, words) in [
        ("accounts", [ALICE, &account]),
        ("grants", [&*grant, program]),
        ("audit", [&program[program.len() - 16..], "signed"]),
        ("apps", [CLIENT_ID, "/common"]),
    ] {
        let (terminal, theirs) = Terminal::open();
        let mut command = world.machine.command(Program::Cli);
        command.arg(verb).env("NO_COLOR", "1").stdout(theirs);
        let mut running = command.spawn().unwrap();
        drop(command);
        assert!(patiently("the end", running.wait()).await.unwrap().success());
        let shown = terminal.read_to_end().await;
        assert!(words.iter().all(|word| shown.contains(word)), "{verb}: {words:?}\n{shown}");
        let is_long = |line: &str| line.chars().count() > 80 && !line.contains(&account);
        assert!(!shown.lines().any(is_long), "{verb}:\n{shown}");
    }
}

#[tokio::test]
async fn where_nobody_looks_there_is_text_alone() {
    let world = World::start().await;
    let mut command = login(&world);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut told = tokio::io::BufReader::new(running.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("type the code") {
        let line = tokio::io::AsyncBufReadExt::read_line(&mut told, &mut text);
        assert!(patiently("a line", line).await.unwrap() > 0, "no code: {text}");
    }
    world.control().approve_device(&code_in(&text), ALICE).unwrap();
    let rest = tokio::io::AsyncReadExt::read_to_string(&mut told, &mut text);
    patiently("the rest", rest).await.unwrap();
    let output = patiently("the end", running.wait_with_output()).await.unwrap();
    let result = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && result.starts_with("Signed in as alice"), "{text}{result}");
    for text in [&text, &result] {
        assert!(!text.contains(['\x1b', '\r', '█', '⠋']), "{text:?}");
    }
}

#[tokio::test]
async fn a_result_that_goes_to_a_file_has_no_escape_sequence_though_the_person_is_at_a_terminal() {
    let world = World::start().await;
    let (mut terminal, theirs) = Terminal::open();
    let mut command = login(&world);
    command.stdin(theirs.try_clone().unwrap()).stdout(Stdio::piped()).stderr(theirs);
    let running = command.spawn().unwrap();
    drop(command);
    terminal.shows("waiting for the sign-in").await;
    world.control().approve_device(&code_in(&terminal.seen), ALICE).unwrap();
    let output = patiently("the end", running.wait_with_output()).await.unwrap();
    let result = String::from_utf8(output.stdout).unwrap();
    assert!(result.starts_with("Signed in as alice") && !result.contains('\x1b'), "{result:?}");
    assert!(terminal.read_to_end().await.contains('\x1b'));
}
