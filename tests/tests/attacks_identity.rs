//! Attacks on who a caller is taken for: programs that change after they connect, hide, borrow another one's path or number,
//! and other users who come to the socket or put their own in its place. The daemon's record names nobody who did not ask,
//! and what is declared for one program goes to no other.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use valetkey_client::Client;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Act, Machine, Program, Puppet, SCOPE, World, is_root, patiently};

/// A program that is on every machine, and is no interpreter. The attackers want to be taken for it.
const TRUSTED: &str = "/usr/bin/true";
/// A user who is not the one that runs the test.
const NOBODY: &str = "65534";

/// A world in which Alice has signed in, and whose configuration declares an application for [`TRUSTED`] alone.
async fn signed_in_world(machine: Machine) -> World {
    let world = World::of(machine, Options::default()).await;
    world.signed_in(ALICE).await;
    let authority = world.entra.authority("contoso.com");
    let text = format!(
        "[apps.reports]\nkind = \"confidential\"\nclient_id = \"reports\"\nauthority = \"{authority}\"\n\
         validate_authority = false\nprograms = [\"{TRUSTED}\"]\n[apps.reports.credential]\nsecret = {{ vault = \"reports\" }}\n"
    );
    world.machine.write("config/valetkey/config.toml", text);
    world
}

/// Has the puppet use Alice's sign-in, and returns what the daemon's record says of the program that did.
async fn recorded(world: &World, puppet: &mut Puppet) -> Value {
    let (status, opened) = puppet.post("/v1/apps", &world.definition()).await.unwrap();
    assert_eq!(status, 200, "{opened}");
    let path = format!("/v1/apps/{}/token", opened["app"].as_str().unwrap());
    let (status, token) = puppet.post(&path, &json!({"scopes": [SCOPE]})).await.unwrap();
    assert_eq!(status, 200, "{token}");
    let audit = world.machine.get("/v1/audit").await.success();
    let record = audit["records"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(record["act"], "token_given", "{record}");
    record["program"].clone()
}

/// The record gives this reason for not believing the path, and what is declared for another program is refused.
async fn check_unidentified(world: &World, puppet: &mut Puppet, reason: &str) -> Value {
    let program = recorded(world, puppet).await;
    let said = program["unidentified"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{program}");
    let (status, refused) = puppet.post("/v1/apps", &json!({"name": "reports"})).await.unwrap();
    assert_eq!((status, &refused["error"]), (403, &json!("access_denied")), "{refused}");
    program
}

async fn start() -> World {
    signed_in_world(Machine::start().await).await
}

#[tokio::test]
async fn a_program_that_execs_another_one_after_it_connected_is_not_taken_for_that_one() {
    let world = start().await;
    let mut puppet = Puppet::connect(&world.machine).await;
    let speaker = puppet.act(Act::Exec).await;
    assert_ne!(speaker, puppet.pid());
    check_unidentified(&world, &mut puppet, "another executable").await;
}

#[tokio::test]
async fn a_child_that_kept_the_connection_of_a_process_that_ended_is_told_as_such() {
    let world = start().await;
    let mut puppet = Puppet::connect(&world.machine).await;
    puppet.act(Act::Leave).await;
    puppet.wait_for_exit().await;
    let program = check_unidentified(&world, &mut puppet, "ended").await;
    assert_eq!(program["parents"], json!(null), "{program}");
}

/// The mount is of the attacker's own namespace, which needs no rights.
#[tokio::test]
async fn an_interpreter_that_a_mount_gives_a_trusted_path_is_not_taken_for_it() {
    let world = start().await;
    let mut command = world.machine.command_of("unshare");
    command.args(["--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-euc"]);
    command.arg(r#"mount --bind /usr/bin/perl "$0"; exec "$0" "$@""#).arg(TRUSTED);
    let mut puppet = Puppet::run(&world.machine, command).await;
    // The mount took a user namespace, in which a process chooses what is told of it: so nothing is.
    let program = check_unidentified(&world, &mut puppet, "does not show it").await;
    assert_eq!(program["path"], Value::Null);
}

/// A daemon that runs as root sees all but for this: it has none of root's capabilities.
async fn launch_without_capabilities(machine: &mut Machine) {
    if !rustix::process::geteuid().is_root() {
        return machine.launch().await;
    }
    let mut command = machine.command_of("setpriv");
    command.args(["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]);
    command.arg(Program::Daemon.path());
    machine.launch_by(command).await;
}

#[tokio::test]
async fn a_program_that_hides_is_served_and_told_as_hidden() {
    let mut machine = Machine::new();
    launch_without_capabilities(&mut machine).await;
    let world = signed_in_world(machine).await;
    let mut puppet = Puppet::connect_after(&world.machine, Act::Hide).await;
    let program = check_unidentified(&world, &mut puppet, "hides").await;
    assert_eq!((&program["process"], &program["path"]), (&json!(puppet.pid()), &json!(null)));
}

#[tokio::test]
async fn a_program_that_hides_after_it_connected_is_told_as_hidden() {
    let mut machine = Machine::new();
    launch_without_capabilities(&mut machine).await;
    let world = signed_in_world(machine).await;
    let mut puppet = Puppet::connect(&world.machine).await;
    puppet.act(Act::Hide).await;
    check_unidentified(&world, &mut puppet, "hides").await;
}

/// Runs a program under this very number, as soon as nobody has it, until its input ends.
async fn run_under(number: u64, machine: &Machine, program: &Path) -> Child {
    let script = r#"
        my ($number, @program) = @ARGV;
        for (1 .. 1000) {
            open my $last, '>', '/proc/sys/kernel/ns_last_pid' or die "ns_last_pid: $!";
            syswrite $last, $number - 1;
            my $child = fork;
            if (!$child) { $$ == $number or exit; exec { $program[0] } @program }
            if ($child == $number) { $| = 1; print "taken\n"; wait; exit }
            wait;
        }
    "#;
    let mut command = machine.command_of("/usr/bin/perl");
    command.args(["-e", script, &number.to_string()]).arg(program);
    let mut taking = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(taking.stdout.take().unwrap());
    patiently("the number", said.read_line(&mut line)).await.unwrap();
    assert_eq!(line, "taken\n");
    taking
}

#[tokio::test]
async fn a_process_that_has_the_number_of_one_that_ended_is_not_named_in_its_place() {
    if !is_root() {
        return;
    }
    let world = start().await;
    let mut puppet = Puppet::connect(&world.machine).await;
    let number = u64::from(puppet.pid());
    puppet.act(Act::Leave).await;
    puppet.wait_for_exit().await;
    let innocent = Path::new("/usr/bin/cat");
    let _innocent = run_under(number, &world.machine, innocent).await;
    patiently("the innocent program", async {
        while fs::read_link(format!("/proc/{number}/exe")).unwrap() != innocent {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let program = check_unidentified(&world, &mut puppet, "ended").await;
    assert_eq!((&program["process"], &program["parents"]), (&json!(number), &json!(null)));
    assert_ne!(program["path"], json!(innocent), "{program}");
}

/// Lets everybody reach the socket, as a careless administrator would.
fn open_to_everybody(machine: &Machine) {
    let socket = machine.endpoint().path();
    let folders =
        socket.ancestors().skip(1).take_while(|folder| folder.starts_with(machine.folder()));
    for folder in folders {
        fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
}

fn as_nobody(machine: &Machine, program: &str) -> Command {
    let mut command = machine.command_of("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", program]);
    command.current_dir("/");
    command
}

#[tokio::test]
async fn another_user_who_reaches_the_socket_is_refused_by_the_kernels_word() {
    if !is_root() {
        return;
    }
    let world = start().await;
    open_to_everybody(&world.machine);
    for path in ["/v1/status", "/v1/apps"] {
        let mut puppet =
            Puppet::run(&world.machine, as_nobody(&world.machine, "/usr/bin/perl")).await;
        assert_eq!(puppet.ask("GET", path, &json!({})).await, None, "{path}");
    }
    let logs = world.machine.logs();
    assert!(logs.contains("uid 65534"), "{logs}");
    assert_eq!(world.machine.get("/v1/status").await.status, 200);
}

/// Listens at the daemon's place as another user, and tells what it was sent.
struct Squatter {
    process: Child,
    output: BufReader<tokio::process::ChildStdout>,
}

impl Squatter {
    async fn start(machine: &Machine) -> Self {
        let script = r#"
            use IO::Socket::UNIX;
            $| = 1;
            my $listener = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die "listen: $!";
            chmod 0666, $ARGV[0];
            print "ready\n";
            while (my $client = $listener->accept) { read $client, my $sent, 1; print "[$sent]\n" }
        "#;
        let socket = machine.endpoint().path();
        fs::create_dir(socket.parent().unwrap()).unwrap();
        fs::set_permissions(machine.folder(), Permissions::from_mode(0o777)).unwrap();
        for folder in socket.ancestors().skip(1).take(2) {
            fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
        }
        let mut command = as_nobody(machine, "/usr/bin/perl");
        command.args(["-e", script]).arg(socket).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut squatter = Self { process, output };
        assert_eq!(squatter.next_line().await, "ready");
        squatter
    }

    async fn next_line(&mut self) -> String {
        let mut line = String::new();
        patiently("a word", self.output.read_line(&mut line)).await.unwrap();
        line.trim().to_owned()
    }

    /// What it heard beside empty connections.
    async fn end(mut self) -> String {
        self.process.kill().await.unwrap();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).await.unwrap();
        rest.replace("[]", "").trim().to_owned()
    }
}

/// The same for Python is in its own tests: `test_another_users_process_gets_not_a_byte`.
#[tokio::test]
async fn a_squatted_socket_gets_not_a_byte_of_the_sdk_and_the_command() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    let mut squatter = Squatter::start(&machine).await;
    let client = Client::at(machine.endpoint().clone());
    let refused = client.status().await.unwrap_err();
    assert!(refused.to_string().contains("uid 65534"), "{refused}");
    assert_eq!(squatter.next_line().await, "[]");
    for arguments in [&["status"][..], &["accounts"], &["token", "mail"], &["lock"]] {
        let output = machine.command(Program::Cli).args(arguments).output();
        let output = patiently("the command", output).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("uid 65534"), "{arguments:?}: {said}");
    }
    assert_eq!(squatter.end().await, "");
}
