//! The emulator as a program, the way a test in another language uses it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn start(arguments: &[&str]) -> std::io::Result<(Child, Value)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-emulator"));
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let stdout = child.stdout.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, serde_json::from_str(&line)?))
}

#[test]
fn it_says_where_it_listens_and_stops_with_its_input() {
    let (mut child, ready) =
        start(&["--seed", "1", "--user", "carol@contoso.com"]).expect("it starts");
    let base_url = ready["base_url"].as_str().expect("a URL");
    assert_eq!(ready["authority"], format!("{base_url}/common"));
    let address = base_url.strip_prefix("http://").expect("http");
    assert!(std::net::TcpStream::connect(address).is_ok());
    drop(child.stdin.take());
    assert!(child.wait().expect("an exit").success());
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_in_order() {
    let (mut child, _ready) = start(&[]).expect("it starts");
    let kill = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(kill.success());
    assert!(child.wait().expect("an exit").success());
}
