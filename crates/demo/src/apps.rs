//! The story's applications. Each asks the daemon, as any program would; none of them ever sees a refresh token.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use valetkey_client::v1::{OpenAppRequest, TokenRequest};
use valetkey_client::{App, Client, Endpoint, blocking};

use crate::stage::{Failure, Stage};

/// The client id that both apps are registered with.
pub const CLIENT_ID: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
/// What they want to do.
pub const SCOPE: &str = "User.Read";

/// What defines the apps.
pub fn definition(authority: &str) -> OpenAppRequest {
    OpenAppRequest {
        client_id: Some(CLIENT_ID.to_owned()),
        authority: Some(authority.to_owned()),
        // The emulator is not on Microsoft's list of hosts.
        validate_authority: Some(false),
        ..OpenAppRequest::default()
    }
}

/// A token without asking the person.
pub fn silent() -> TokenRequest {
    TokenRequest { scopes: vec![SCOPE.to_owned()], ..TokenRequest::default() }
}

/// The first app, in this process.
pub async fn open_first_app(client: &Client, stage: &Stage) -> Result<App, Failure> {
    Ok(client.open_app(definition(&stage.provider.authority("organizations"))).await?)
}

/// The second app, in a process of its own. Returns what it printed: how long its token is good.
pub async fn start_second_app(stage: &Stage) -> Result<String, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(crate::AS_SECOND_APP)
        .arg(stage.endpoint())
        .arg(stage.provider.authority("organizations"));
    read_output(command).await
}

/// What the second app's process does.
pub fn run_second_app(mut arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let (Some(endpoint), Some(authority)) = (arguments.next(), arguments.next()) else {
        return Err("the second app wants an endpoint and an authority".into());
    };
    let client = blocking::Client::at(Endpoint::at(PathBuf::from(endpoint)));
    let app = client.open_app(definition(&authority.to_string_lossy()))?;
    let token = app.acquire_token_silent(&silent())?;
    println!("{}", token.expires_in);
    Ok(())
}

/// A third app, written in Python for MSAL, whose import line alone was changed. `None` where there is no Python.
pub async fn start_python_app(stage: &Stage) -> Result<Option<String>, Failure> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../client-sdk/python/src");
    let has_python = Command::new("python3")
        .arg("--version")
        .kill_on_drop(true)
        .output()
        .await
        .is_ok_and(|output| output.status.success());
    if !has_python || !package.is_dir() || cfg!(windows) {
        return Ok(None);
    }
    let mut command = Command::new("python3");
    command
        .arg("-c")
        .arg(PYTHON_APP)
        .args([CLIENT_ID, &stage.provider.authority("organizations"), SCOPE])
        .env("PYTHONPATH", package)
        .env("VALETKEY_SOCKET", stage.endpoint())
        .env("VALETKEY_AUTOSTART", "0");
    Ok(Some(read_output(command).await?))
}

async fn read_output(mut command: Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// MSAL's own overview, with one changed line.
const PYTHON_APP: &str = r#"
import sys
import valetkey as msal

client_id, authority, scope = sys.argv[1:]
app = msal.PublicClientApplication(client_id, authority=authority, validate_authority=False)
account = app.get_accounts()[0]
result = app.acquire_token_silent([scope], account=account)
print(f"it has a token of {account['username']} for {result['expires_in']} s, from the {result['token_source']}")
"#;
