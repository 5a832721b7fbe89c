//! `valetkey-demo`: what it leaves behind when it is interrupted, and what it says where no browser opens.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use valetkey_tests::{Machine, Program, patiently};

/// The demo, whose temporary folder is in a machine's own.
struct Demo {
    machine: Machine,
    program: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    /// Starts it where there is neither a browser nor a Python that comes to an end.
    fn start(arguments: &[&str]) -> Self {
        let mut machine = Machine::new();
        std::fs::create_dir(machine.folder().join("tmp")).unwrap();
        let python = write_script(&machine, "bin/python3", "read line < $0.never");
        assert!(
            rustix::fs::mkfifoat(rustix::fs::CWD, format!("{python}.never"), 0o600.into()).is_ok()
        );
        let browser = write_script(&machine, "browser", "echo no browser; echo at all >&2; exit 3");
        machine.set("TMPDIR", machine.folder().join("tmp"));
        machine.set("PATH", machine.folder().join("bin"));
        machine.set("BROWSER", browser);
        let demo = Program::Cli.path().with_file_name("valetkey-demo");
        let mut command = machine.command_of(demo);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.process_group(0).spawn().unwrap();
        let told = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { machine, program, told }
    }

    /// Reads on until it says this.
    async fn says(&mut self, words: &str) {
        while let Some(line) = patiently(words, self.told.next_line()).await.unwrap() {
            if line.contains(words) {
                return;
            }
        }
        panic!("it ended without saying {words:?}");
    }

    /// Sends a signal to it and to all in its group, as a terminal does; its exit code, and all that it wrote to standard error.
    async fn interrupt(&mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = self.program.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process_group(pid.unwrap(), signal).unwrap();
        let status = patiently("the demo's end", self.program.wait()).await.unwrap();
        let mut complaints = String::new();
        self.program.stderr.take().unwrap().read_to_string(&mut complaints).await.unwrap();
        (status.code(), complaints)
    }
}

fn write_script(machine: &Machine, name: &str, text: &str) -> String {
    machine.write(name, format!("#!/bin/sh\n{text}\n"));
    let path = machine.folder().join(name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The command lines of this computer's processes that name something in the folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let command_lines = processes
        .filter_map(|process| std::fs::read(process.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    command_lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

#[tokio::test]
async fn an_interrupted_demo_ends_its_programs_and_removes_its_folder() {
    for (arguments, words, signal, code) in [
        (&["--browser"][..], "open this address", Signal::INT, 130),
        (&["--browser"], "all in ", Signal::HUP, 129),
        (&[], "Other apps share the sign-in", Signal::TERM, 143),
    ] {
        let mut demo = Demo::start(arguments);
        demo.says(words).await;
        let temporary = demo.machine.folder().join("tmp");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1, "{words}");
        let (exit, complaints) = demo.interrupt(signal).await;
        let told = "\nvaletkey-demo: interrupted; its daemon has ended and its folder is removed\n";
        assert_eq!((exit, complaints.as_str()), (Some(code), told), "{words}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "{words}");
        assert_eq!(processes_in(demo.machine.folder()), Vec::<String>::new(), "{words}");
    }
}

#[tokio::test]
async fn who_asks_for_help_gets_it_and_who_mistypes_is_told() {
    for (argument, exit) in [("--help", 0), ("-h", 0), ("--brwoser", 2)] {
        let machine = Machine::new();
        let demo = Program::Cli.path().with_file_name("valetkey-demo");
        let ended = patiently(argument, machine.command_of(demo).arg(argument).output()).await;
        let ended = ended.unwrap();
        assert_eq!(ended.status.code(), Some(exit), "{argument}");
        let told = if exit == 0 { ended.stdout } else { ended.stderr };
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("usage: valetkey-demo"), "{argument}: {told}");
        assert_eq!(told.contains("no option \"--brwoser\""), exit == 2, "{argument}: {told}");
    }
}

#[tokio::test]
async fn where_no_browser_opens_the_demo_tells_the_address_and_hides_the_openers_words() {
    let mut demo = Demo::start(&["--browser"]);
    demo.says("finds no browser; to sign in, open this address on this machine:").await;
    let address = patiently("the address", demo.told.next_line()).await.unwrap().unwrap();
    assert!(address.trim_start().starts_with("http://127.0.0.1:"), "{address}");
    let (_, complaints) = demo.interrupt(Signal::INT).await;
    assert!(!complaints.contains("at all"), "{complaints}");
}

#[tokio::test]
async fn a_demo_that_nobody_reads_on_ends_quietly_and_removes_its_folder() {
    let mut demo = Demo::start(&[]);
    demo.says("A provider and the daemon").await;
    drop(demo.told);
    let ended = patiently("the demo's end", demo.program.wait_with_output()).await.unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(1), &b""[..]));
    assert_eq!(std::fs::read_dir(demo.machine.folder().join("tmp")).unwrap().count(), 0);
    assert_eq!(processes_in(demo.machine.folder()), Vec::<String>::new());
}
