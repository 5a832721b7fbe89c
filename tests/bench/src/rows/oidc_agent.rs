//! oidc-agent with one account, set up without a person: a provider of two fixed answers, and a refresh token that it
//! takes.
//!
//! The testkit's emulator does not do: it has public clients, and oidc-agent names its client in HTTP Basic alone. What
//! is measured later is the agent's own cache, which no provider has a part in.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::python::read_output;
use crate::{Outcome, now, programs};

/// The name of the account.
const ACCOUNT: &str = "bench";
/// How long the agent may take to listen.
const START_LIMIT: Duration = Duration::from_secs(5);

/// A running agent that has a token at hand. Dropping it kills it.
pub(crate) struct OidcAgent {
    child: Child,
    home: PathBuf,
    socket: PathBuf,
}

impl OidcAgent {
    /// Starts an agent in this folder and lets it fetch `token`.
    pub(crate) fn start(folder: &Path, token: &str) -> Outcome<Self> {
        let program = programs::installed("oidc-agent").ok_or("oidc-agent is not installed")?;
        let issuer = serve_provider(token)?;
        let socket = folder.join("agent.sock");
        let child = Command::new(program)
            .args(["--console", "--quiet", "--no-webserver", "--socket-path"])
            .arg(&socket)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let agent = Self { child, home: folder.to_owned(), socket };
        agent.wait()?;
        std::fs::create_dir_all(folder.join(".oidc-agent"))?;
        read_output(agent.generate_command(&issuer))?;
        match read_output(agent.token_command())?.trim() == token {
            true => Ok(agent),
            false => Err("oidc-token does not print the token".into()),
        }
    }

    /// The command that prints the token at hand.
    pub(crate) fn token_command(&self) -> Command {
        let mut command = self.command("oidc-token");
        command.arg(ACCOUNT);
        command
    }

    fn generate_command(&self, issuer: &str) -> Command {
        let mut command = self.command("oidc-gen");
        command.args([ACCOUNT, "--no-save", "--confirm-default", "--prompt=none"]);
        command.args(["--client-id=bench", "--client-secret=none", "--rt=none", "--pw-env=HOME"]);
        command.args(["--scope=openid offline_access", "--redirect-uri=http://localhost:8080"]);
        command.arg(format!("--issuer={issuer}"));
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", &self.home).env("OIDC_SOCK", &self.socket).stdin(Stdio::null());
        command
    }

    fn wait(&self) -> Outcome {
        let started = now();
        while !self.socket.exists() {
            if started.elapsed() > START_LIMIT {
                return Err("oidc-agent does not listen".into());
            }
            // sleep: nothing tells when another process begins to listen but looking for its socket.
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for OidcAgent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the provider until the program ends, and returns its issuer.
fn serve_provider(token: &str) -> Outcome<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let issuer = format!("http://{}/", listener.local_addr()?);
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}authorize"),
        "token_endpoint": format!("{issuer}token"),
        "scopes_supported": ["openid", "offline_access"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["refresh_token"],
    });
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 86_400 });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that went away is no reason to stop.
            let _ = answer_one(stream, &metadata.to_string(), &answer.to_string());
        }
    });
    Ok(issuer)
}

/// One request and its answer: the metadata to a GET, the token to a POST.
fn answer_one(stream: TcpStream, metadata: &str, token: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = if first.starts_with("GET") { metadata } else { token };
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
