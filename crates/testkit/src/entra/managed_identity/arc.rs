//! Azure Arc: a challenge names a file that only members of a group can read, and its content is the proof.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Denial, has_metadata_header, issue, refuse};
use crate::entra::message::{Reply, Request};
use crate::entra::state::State;

/// The keys of open challenges, each with its file.
pub(crate) type ArcKeys = HashMap<String, PathBuf>;

pub(super) fn answer(state: &mut State, request: &Request) -> Reply {
    if !has_metadata_header(request) {
        return refuse(400, "invalid_request", "Required metadata header not specified");
    }
    let key = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    match key {
        None => challenge(state),
        Some(key) => match state.arc_keys.remove(key) {
            Some(file) => {
                // Each key is good for one request; a file that is gone already is as good.
                let _ = fs::remove_file(file);
                answer_proven(state, request)
            }
            None => refuse(403, "unauthorized", "The key is not the content of the key file."),
        },
    }
}

fn answer_proven(state: &mut State, request: &Request) -> Reply {
    match issue(state, &request.query, ["client_id", "msi_res_id", "object_id"]) {
        Ok(token) => {
            let mut body = token.to_imds_json();
            // The client checks that the token is of the identity which it asked for.
            body["object_id"] = token.identity.object_id.into();
            body["msi_res_id"] = token.identity.resource_id.into();
            Reply::json(200, &body)
        }
        Err(Denial::NoResource) => refuse(400, "invalid_resource", "The resource is missing."),
        Err(Denial::NoSuchIdentity) => refuse(404, "invalid_request", "Identity not found"),
    }
}

fn challenge(state: &mut State) -> Reply {
    let Some(folder) = state.machine.arc_key_folder.clone() else {
        return refuse(501, "not_configured", "The emulator has no folder for Arc's key files.");
    };
    let file = folder.join(format!("{}.key", state.random.next_uuid()));
    let key = state.random.next_text(1);
    if let Err(error) = write_key(&file, &key) {
        return refuse(500, "internal", &format!("write the key file: {error}"));
    }
    let key = state.remember_secret("arc_key", key);
    let realm = format!("Basic realm={}", file.display());
    state.arc_keys.insert(key, file);
    refuse(401, "unauthorized", "The content of the key file is needed.")
        .with_header("www-authenticate", realm)
}

/// For the agent's group to read, and nobody else.
fn write_key(file: &Path, key: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(file)?.write_all(key.as_bytes())
}
