//! The README is true, and so are the pages that it sends people to: each command is run here, as it stands there, against
//! the emulator.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what failed by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;
use tokio::process::Command;
use valetkey_testkit::entra::{Browser as Session, Options, Person};
use valetkey_tests::{ALICE, Browser, Machine, World};

/// How a command of the README is shown to be true.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// Its program is run, as `cargo run` would.
    Demo,
    /// The task that runs this very test, and its siblings.
    Alias,
    /// The packages that it names are there, and have a program each.
    Packages,
    /// The programs that it copies are there after a build.
    Copies,
    /// The folder is the Python SDK's.
    PythonPackage,
    /// A real systemd runs it, in a suite of its own.
    Units,
    /// A real systemd does the same with the same files, on a machine of its own.
    Machine,
    /// A shell runs it with the application's handle, and it says something like this.
    OfApp(&'static str),
    /// It starts the emulator, which says where it is.
    Emulator,
    /// It approves a code of the emulator.
    Approves,
    /// A shell runs it, and it succeeds and prints something like this.
    Prints(&'static str),
    /// The same, while a person signs in.
    SignsIn,
}

/// Where commands are.
const PAGES: &[&str] =
    &["README.md", "packaging/systemd/README.md", "crates/testkit/README.md", "SECURITY.md"];

/// Each command of the pages, in their order.
const COMMANDS: &[(&str, Proof)] = &[
    ("cargo run --release -p valetkey-demo", Proof::Demo),
    ("cargo xtask test", Proof::Alias),
    ("cargo xtask fuzz", Proof::Alias),
    ("cargo build --release -p valetkeyd -p valetkey", Proof::Packages),
    ("mkdir -p ~/.local/bin", Proof::Prints("")),
    (
        "install -m 755 target/release/valetkeyd target/release/valetkey ~/.local/bin/",
        Proof::Copies,
    ),
    ("valetkey login graph", Proof::SignsIn),
    ("valetkey token graph", Proof::Prints("ey")),
    ("valetkey accounts graph", Proof::Prints(ALICE)),
    ("valetkey status", Proof::Prints("file")),
    ("valetkey logout graph", Proof::Prints("")),
    ("python3 -m venv .venv", Proof::PythonPackage),
    (".venv/bin/pip install ./client-sdk/python", Proof::PythonPackage),
    (
        r#"curl --unix-socket "$(valetkey path)" http://valetkey/v1/status"#,
        Proof::Prints("\"version\""),
    ),
    (
        r#"curl --unix-socket "$(valetkey path)" --json '{"name": "graph"}' http://valetkey/v1/apps"#,
        Proof::Prints("\"app\""),
    ),
    (
        r#"curl --unix-socket "$(valetkey path)" --json '{"grant": "silent", "scopes": ["User.Read"]}' http://valetkey/v1/apps/HANDLE/token"#,
        Proof::OfApp("sign_in_needed"),
    ),
    ("valetkey grants", Proof::Prints("")),
    ("valetkey cache import --from azure-cli", Proof::Prints("Took 1 account")),
    ("valetkey cache export --unencrypted --yes msal-cache.json", Proof::Prints("msal-cache.json")),
    ("valetkey key", Proof::Prints("file")),
    ("valetkey key rotate --data", Proof::Prints("sealed anew")),
    ("mkdir -p ~/.config/systemd/user/valetkeyd.service.d", Proof::Units),
    ("cp packaging/systemd/user/* ~/.config/systemd/user/", Proof::Units),
    (
        r"printf '[Service]\nExecStart=\nExecStart=%%h/.local/bin/valetkeyd\n' > ~/.config/systemd/user/valetkeyd.service.d/program.conf",
        Proof::Units,
    ),
    ("systemctl --user enable --now valetkeyd.socket", Proof::Units),
    ("install -m 755 target/release/valetkeyd target/release/valetkey /usr/bin/", Proof::Machine),
    (
        "install -D -m 644 packaging/systemd/system/sysusers.conf /usr/lib/sysusers.d/valetkey.conf",
        Proof::Machine,
    ),
    ("install -m 644 packaging/systemd/system/valetkeyd.* /etc/systemd/system/", Proof::Machine),
    ("systemd-sysusers valetkey.conf", Proof::Machine),
    ("install -D -m 644 config.toml /etc/valetkey/config.toml", Proof::Machine),
    ("(umask 077; head -c 32 /dev/urandom > /run/valetkey-key)", Proof::Machine),
    (
        "systemd-creds encrypt --name=valetkey-key /run/valetkey-key /etc/valetkey/valetkey-key.cred",
        Proof::Machine,
    ),
    ("mkdir -p /etc/systemd/system/valetkeyd.service.d", Proof::Machine),
    (
        r"printf '[Service]\nLoadCredentialEncrypted=valetkey-key:/etc/valetkey/valetkey-key.cred\n' > /etc/systemd/system/valetkeyd.service.d/key.conf",
        Proof::Machine,
    ),
    ("rm /run/valetkey-key", Proof::Machine),
    ("systemctl daemon-reload", Proof::Machine),
    ("systemctl enable --now valetkeyd.socket", Proof::Machine),
    ("sudo -u alice valetkey status", Proof::Machine),
    ("cargo build --release -p valetkey-testkit", Proof::Packages),
    ("target/release/entra-emulator", Proof::Emulator),
    (
        r#"curl --json '{"user_code": "CODE", "user": "alice@contoso.com"}' http://127.0.0.1:8400/_emulator/device"#,
        Proof::Approves,
    ),
];

/// The reader's own.
const TENANT: &str = "https://login.microsoftonline.com/your-tenant";

/// Somebody used the Azure CLI here.
const AZURE_CACHE: &str = r#"{"Account": {"a": {
    "home_account_id": "u.t", "environment": "login.microsoftonline.com", "realm": "t", "username": "ada@contoso.com",
    "authority_type": "MSSTS", "local_account_id": "u"}}}"#;

#[tokio::test]
async fn each_command_of_the_readme_does_what_it_says() {
    let readme = read("README.md");
    let shell = blocks_of_all_pages("sh");
    let commands: Vec<_> = shell.iter().flat_map(|block| block.lines()).collect();
    let known: Vec<_> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(commands, known, "the pages and this table name the same commands");
    let user = Reader::start(&readme).await;
    for (command, proof) in COMMANDS {
        match proof {
            Proof::Demo => user.run_demo().await,
            Proof::Alias => assert!(read(".cargo/config.toml").contains("xtask = ")),
            Proof::Packages => check_packages(command),
            Proof::Copies => check_copies(command),
            Proof::PythonPackage => {
                assert!(
                    read("client-sdk/python/pyproject.toml").contains("\nname = \"valetkey\"\n")
                );
            }
            Proof::Units => assert!(read("tests/systemd/run-user-units.sh").contains("README.md")),
            Proof::Machine => check_machine(command),
            Proof::OfApp(expected) => {
                let mut connection = user.world.machine.connect().await;
                let app = connection.post("/v1/apps", &json!({"name": "graph"})).await.success();
                let command = command.replace("HANDLE", app["app"].as_str().unwrap());
                let said = user.shell(&command).await.stdout;
                assert!(text(&said).contains(expected), "{command}: {}", text(&said));
            }
            Proof::Emulator => {
                let said = user.shell(&command.replace("target/release/", "")).await.stdout;
                assert!(text(&said).contains("\"authority\":\"http://127.0.0.1:"), "{command}");
            }
            Proof::Approves => user.approve(command).await,
            Proof::Prints(expected) => {
                let output = user.shell(command).await;
                assert!(text(&output.stdout).contains(expected), "{command}: {output:?}");
            }
            Proof::SignsIn => user.sign_in(command).await,
        }
    }
}

#[tokio::test]
async fn a_daemon_starts_with_each_configuration_of_the_readme() {
    // The first declares an application, and is the reader's own; the second is a manifest of cargo's.
    let blocks = blocks_of_all_pages("toml");
    assert!(blocks.len() > 2);
    for configuration in &blocks[2..] {
        let mut machine = Machine::new();
        machine.write("config/valetkey/config.toml", configuration);
        machine.launch().await;
        assert_eq!(machine.status().await["configuration"]["problem"], serde_json::Value::Null);
    }
}

#[tokio::test]
async fn the_python_program_of_the_readme_runs_as_it_stands() {
    let readme = read("README.md");
    let world = World::with(Machine::new(), Options::default()).await;
    // What the reader has at hand: a tenant whose host is to be trusted.
    let program = format!(
        "import functools, valetkey\n\
         valetkey.PublicClientApplication = functools.partial(valetkey.PublicClientApplication, validate_authority=False)\n{}",
        blocks(&readme, "python")[0].replace(TENANT, &world.entra.authority("common")).replace(
            "print(flow[\"message\"])",
            "print(flow[\"message\"]); print('code:', flow['user_code'], flush=True)"
        )
    );
    let python = std::env::var("VALETKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = world.machine.command_of(python);
    command.env("PYTHONPATH", root().join("client-sdk/python/src")).args(["-c", &program]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut output = tokio::io::BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    let code = loop {
        let mut line = String::new();
        let read = tokio::io::AsyncBufReadExt::read_line(&mut output, &mut line).await.unwrap();
        assert!(read > 0, "the program ended without a code: {printed}");
        printed += &line;
        if let Some(code) = line.strip_prefix("code: ") {
            break code.trim().to_owned();
        }
    };
    world.control().approve_device(&code, ALICE).unwrap();
    tokio::io::AsyncReadExt::read_to_string(&mut output, &mut printed).await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let token = printed.lines().last().unwrap();
    assert!(world.control().verify_access_token(token).is_some(), "{printed}");
}

#[test]
fn the_rust_program_of_the_readme_is_one_that_cargo_compiles() {
    let example = read("client-sdk/rust/examples/token.rs");
    assert_eq!(blocks(&read("README.md"), "rust"), [example.trim_end()]);
}

#[test]
fn the_dependency_of_the_readme_is_the_rust_sdk() {
    let readme = read("README.md");
    let dependencies = &blocks(&readme, "toml")[1];
    let path = r#"valetkey-client = { path = "../valetkey/"#;
    let folder = dependencies.split_once(path).unwrap().1.split('"').next().unwrap();
    assert!(read(&format!("{folder}/Cargo.toml")).contains("\nname = \"valetkey-client\"\n"));
}

/// Somebody who follows the README: the programs on the path, its configuration in place, a browser.
struct Reader {
    world: World,
    opened: PathBuf,
}

impl Reader {
    async fn start(readme: &str) -> Self {
        let mut world = World::of(Machine::new(), Options::default()).await;
        let opened = world.machine.folder().join("opened-url");
        let (programs, system) = (programs(), std::env::var("PATH").unwrap_or_default());
        world.machine.set("PATH", format!("{}:{system}", programs.display()));
        // A browser that writes down what it was asked to open; the person is played by the test.
        let browser = world.machine.folder().join("browser");
        world.machine.write(
            "browser",
            format!(
                "#!/bin/sh\nprintf %s \"$1\" > {0}.part && mv {0}.part {0}\n",
                opened.display()
            ),
        );
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        world.machine.set("BROWSER", &browser);
        let config = blocks(readme, "toml")[0]
            .replace(TENANT, &world.entra.authority("common"))
            .replace("scopes", "validate_authority = false\nscopes");
        world.machine.write("config.toml", config);
        world.machine.write("home/.azure/msal_token_cache.json", AZURE_CACHE);
        let config = world.machine.folder().join("config.toml");
        world.machine.set("VALETKEY_CONFIG", config);
        world.machine.launch().await;
        Self { world, opened }
    }

    async fn shell(&self, command: &str) -> Output {
        let output = self.command(command).output().await.unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        output
    }

    fn command(&self, command: &str) -> Command {
        let mut shell = self.world.machine.command_of("sh");
        shell.args(["-c", command]);
        shell
    }

    async fn approve(&self, command: &str) {
        let mut caller = self.world.caller().await;
        let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
        let base = self.world.entra.authority("");
        let command = command
            .replace("CODE", flow["device"]["user_code"].as_str().unwrap())
            .replace("http://127.0.0.1:8400", base.trim_end_matches('/'));
        self.shell(&command).await;
        assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
    }

    async fn sign_in(&self, command: &str) {
        let mut command = self.command(command);
        let program = tokio::spawn(async move { command.output().await });
        let url = loop {
            if let Ok(url) = std::fs::read_to_string(&self.opened) {
                break url;
            }
            assert!(!program.is_finished(), "{:?}", program.await);
            // sleep: a browser is started by another process, which nobody tells us of.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        let control = self.world.control();
        let redirect = control.authorize(&url, ALICE, Person::Agrees, &Session::default()).unwrap();
        Browser::of(&redirect).follow(&redirect).await.unwrap();
        let output = program.await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    async fn run_demo(&self) {
        let demo = programs().join("valetkey-demo");
        let output = self.world.machine.command_of(demo).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains("Nobody signed in twice"), "{output:?}");
    }
}

fn check_packages(command: &str) {
    let folders = ["daemon", "client-sdk/cli", "crates/testkit"];
    for package in command.split(" -p ").skip(1) {
        let name = format!("\nname = \"{package}\"\n");
        let folder =
            folders.iter().find(|folder| read(&format!("{folder}/Cargo.toml")).contains(&name));
        let source = root().join(folder.expect(package)).join("src");
        assert!(source.join("main.rs").is_file() || source.join("bin").is_dir(), "{package}");
    }
}

fn check_copies(command: &str) {
    let copied = command.split(' ').filter_map(|word| word.strip_prefix("target/release/"));
    for program in copied {
        assert!(programs().join(program).is_file(), "{program}");
    }
}

/// Its files are there, and the suite `systemd` does with them what it says.
fn check_machine(command: &str) {
    let packaged = command.split(' ').filter(|word| word.starts_with("packaging/"));
    for file in packaged {
        let folder = root().join(Path::new(file).parent().unwrap());
        assert!(folder.is_dir(), "{file}");
    }
    let suite = read("tests/systemd/run-system-units.sh");
    let same = match command {
        _ if command.starts_with("install -m 755") => "$programs/valetkeyd",
        _ if command.contains("sysusers.conf /usr") => "$root/usr/lib/sysusers.d/valetkey.conf",
        _ if command.contains("valetkeyd.* ") => "$packaged\"/valetkeyd.{socket,service}",
        _ if command.contains("config.toml") => "/etc/valetkey/config.toml",
        _ if command.starts_with("systemd-creds") => "--name=valetkey-key /run/valetkey-key",
        _ if command.starts_with("sudo") => "ask 65534 /v1/status",
        _ if command.contains("printf") => {
            r"'[Service]\nLoadCredentialEncrypted=valetkey-key:/etc/valetkey/valetkey-key.cred\n'"
        }
        _ if command.contains("mkdir") => "/etc/systemd/system/valetkeyd.service.d",
        _ if command.contains("enable") => "valetkeyd.socket",
        other => other,
    };
    assert!(suite.contains(same), "{command}: {same}");
}

fn blocks_of_all_pages(language: &str) -> Vec<String> {
    PAGES.iter().flat_map(|page| blocks(&read(page), language)).collect()
}

/// The fenced blocks of one language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = document.split(&fence).skip(1);
    starts.map(|rest| rest.split("```").next().unwrap().trim_end().to_owned()).collect()
}

fn programs() -> PathBuf {
    valetkey_tests::Program::Cli.path().parent().unwrap().to_path_buf()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
