//! The emulator as a program, the way a test in another language uses it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
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

#[test]
fn it_registers_what_its_arguments_say_and_writes_its_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("certificate.pem");
    let certificate =
        concat!(env!("CARGO_MANIFEST_DIR"), "/src/entra/tests/fixtures/client.cert.pem");
    let (mut child, ready) = start(&[
        "--tls",
        file.to_str().expect("text"),
        "--client-secret",
        "one=s3cret=",
        "--client-certificate",
        &format!("two={certificate}"),
    ])
    .expect("it starts");
    let pem = std::fs::read_to_string(&file).expect("a certificate");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(
        ready["authority"],
        format!("{}/common", ready["tls"]["base_url"].as_str().expect("a URL"))
    );
    let clients = read_clients(ready["base_url"].as_str().expect("a URL")).expect("an answer");
    assert_eq!((&clients[0]["id"], &clients[0]["secret"]), (&"one".into(), &"s3cret=".into()));
    assert_eq!(
        (&clients[1]["id"], &clients[1]["certificates"].as_array().map(Vec::len)),
        (&"two".into(), &Some(1))
    );
    drop(child.stdin.take());
    assert!(child.wait().expect("an exit").success());
}

/// What the control says is registered.
fn read_clients(base_url: &str) -> std::io::Result<Value> {
    let address = base_url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = "GET /_emulator/clients HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(serde_json::from_str(body)?)
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_in_order() {
    let (mut child, _ready) = start(&[]).expect("it starts");
    let kill = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(kill.success());
    assert!(child.wait().expect("an exit").success());
}
