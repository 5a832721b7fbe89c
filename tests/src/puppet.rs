//! A program that is not what it seems: it connects to the daemon, and then does what a test tells it to.
//!
//! It is Perl, which is on every Debian, under whatever name and in whatever namespace a test starts it.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::connection::patiently;
use crate::machine::Machine;

/// A connected program.
pub struct Puppet {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a puppet can do beside asking.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Becomes `/usr/bin/sleep`, while a child of it goes on speaking.
    Exec,
    /// Ends, while a child of it goes on speaking.
    Leave,
    /// Stays, while a child of it goes on speaking; becomes `/usr/bin/sleep` at a signal (SIGUSR1).
    Stay,
    /// Hides what it is from all but root (`PR_SET_DUMPABLE`, prctl(2)).
    Hide,
}

/// Where Perl is.
const PERL: &str = "/usr/bin/perl";

/// The numbers are those of prctl: Perl has no name for it.
const SCRIPT: &str = r#"
    use IO::Socket::UNIX;
    use POSIX ();
    $^F = 99; # no descriptor is closed by exec
    $| = 1;
    my %prctl = (x86_64 => 157, aarch64 => 167);
    my %acts = (
        Exec => sub { if (fork) { exec '/usr/bin/sleep', '600' } },
        Leave => sub { exit if fork },
        Stay => sub { if (fork) { $SIG{USR1} = sub { exec '/usr/bin/sleep', '600' }; sleep 1 while 1 } },
        Hide => sub { syscall($prctl{(POSIX::uname())[4]}, 4, 0, 0, 0, 0) and die "prctl: $!" },
    );
    my $hides = @ARGV > 1 && $acts{$ARGV[1]}->();
    my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
    print "connected\n";
    while (defined(my $line = <STDIN>)) {
        chomp $line;
        if (my $act = $acts{$line}) { $act->(); print "$$\n"; next }
        my ($method, $path, $body) = split / /, $line, 3;
        my $head = "$method $path HTTP/1.1\r\nHost: valetkey\r\nContent-Length: @{[length $body]}\r\n";
        print $socket "${head}Content-Type: application/json\r\n\r\n$body";
        local $/ = "\r\n\r\n";
        my $answer = <$socket> // exit;
        my ($status) = $answer =~ m{^HTTP/1.1 (\d+)};
        my ($length) = $answer =~ /content-length: (\d+)/i;
        if (!defined $length) { # a stream of events
            print "$status \n";
            $/ = "\n";
            while (<$socket>) { print "$1\n" if /^data: *(.*?)\s*$/ }
            exit;
        }
        read $socket, $answer, $length;
        print "$status $answer\n";
    }
"#;

impl Puppet {
    /// Perl as it is, connected to the daemon of this machine.
    pub async fn connect(machine: &Machine) -> Self {
        Self::run(machine, machine.command_of(PERL)).await
    }

    /// As [`Self::connect`], by a command that ends in Perl and takes its arguments.
    pub async fn run(machine: &Machine, command: Command) -> Self {
        Self::begin(machine, command, None).await
    }

    /// As [`Self::run`], for one that has done something before.
    pub async fn run_after(machine: &Machine, command: Command, act: Act) -> Self {
        Self::begin(machine, command, Some(act)).await
    }

    /// As [`Self::connect`], for one that has done something before.
    pub async fn connect_after(machine: &Machine, act: Act) -> Self {
        Self::begin(machine, machine.command_of(PERL), Some(act)).await
    }

    async fn begin(machine: &Machine, mut command: Command, first: Option<Act>) -> Self {
        command.arg("-e").arg(SCRIPT).arg(machine.endpoint().path());
        command.args(first.map(|act| format!("{act:?}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut puppet = Self { process, input, output };
        assert_eq!(puppet.next_line().await.as_deref(), Some("connected"));
        puppet
    }

    /// Tells it to do something, and returns the number of the process that speaks from then on.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn act(&mut self, act: Act) -> u32 {
        // A connection may wait to be accepted, and what the daemon knows of a program it sees when it accepts.
        self.ask("GET", "/v1/status", &Value::Null).await.expect("an answer");
        self.act_unseen(act).await
    }

    /// As [`Self::act`], whether the daemon has seen it or not.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn act_unseen(&mut self, act: Act) -> u32 {
        self.say(&format!("{act:?}")).await;
        self.next_line().await.expect("an answer").parse().unwrap()
    }

    /// Has it ask the daemon; status and body, or nothing when the daemon closes the connection.
    ///
    /// # Panics
    /// When what comes is no answer of the daemon's.
    pub async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send(method, path, body).await;
        let line = self.next_line().await?;
        let (status, body) = line.split_once(' ').expect("a status and a body");
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        Some((status.parse().unwrap(), body))
    }

    /// Has it ask the daemon, whatever comes of it.
    pub async fn send(&mut self, method: &str, path: &str, body: &Value) {
        self.say(&format!("{method} {path} {body}")).await;
    }

    /// Has it listen to events, which is all that it does from then on.
    ///
    /// # Panics
    /// When the daemon does not stream.
    pub async fn listen(&mut self) {
        let answer = self.ask("GET", "/v1/events", &Value::Null).await;
        assert_eq!(answer, Some((200, Value::Null)));
    }

    /// The next event that it hears of.
    ///
    /// # Panics
    /// When none comes.
    pub async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.next_line().await.expect("an event")).unwrap()
    }

    /// Ends it without warning (SIGKILL).
    ///
    /// # Panics
    /// When it is gone already.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// `POST`, as [`Self::ask`].
    pub async fn post(&mut self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.ask("POST", path, body).await
    }

    /// The number of the process that was started.
    ///
    /// # Panics
    /// When it has been waited for.
    pub fn pid(&self) -> u32 {
        self.process.id().expect("it was not waited for")
    }

    /// Waits until the process that was started has ended.
    ///
    /// # Panics
    /// When it does not.
    pub async fn wait_for_exit(&mut self) {
        patiently("the puppet's end", self.process.wait()).await.unwrap();
    }

    async fn say(&mut self, line: &str) {
        // A puppet whose connection was closed ends, which its silence then tells.
        let _ = self.input.write_all(format!("{line}\n").as_bytes()).await;
    }

    async fn next_line(&mut self) -> Option<String> {
        patiently("a word of the puppet", self.output.next_line()).await.unwrap()
    }
}
