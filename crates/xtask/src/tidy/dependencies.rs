//! Which package may depend on which, and why not: the arrows of ARCHITECTURE.md, asserted on what cargo resolves.

mod graph;

use std::fs;

use super::Problem;
use crate::shell::{Failure, Outcome, Workspace, capture};
use graph::Graph;

/// Our packages, and which others of ours each may name as a normal dependency. What a test uses is free.
const MAY: &[(&str, &[&str], &str)] = &[
    (
        "valetkey-proto",
        &[],
        "wire types outlive our nouns; the daemon's from_wire.rs and to_wire.rs translate",
    ),
    ("valetkey-model", &[], "the nouns are at the bottom: everything else is said in them"),
    ("valetkey-oauth", &["valetkey-model"], "messages are values that know no cache and no flow"),
    (
        "valetkey-cache",
        &["valetkey-model"],
        "the cache is a value that knows no protocol and no disk",
    ),
    ("valetkey-policy", &["valetkey-model"], "a decision is a pure function of what it is given"),
    (
        "valetkey-engine",
        &["valetkey-model", "valetkey-oauth", "valetkey-cache", "valetkey-policy"],
        "the engine knows the outside only through its own traits",
    ),
    ("valetkey-safe-path", &[], "who may be trusted with a path depends on nothing of ours"),
    (
        "valetkey-vault",
        &["valetkey-model", "valetkey-safe-path"],
        "the vault stores bytes and knows no tokens",
    ),
    (
        "valetkey-ipc",
        &["valetkey-model", "valetkey-safe-path"],
        "a connection and its peer, whatever is said over it",
    ),
    (
        "valetkey-testkit",
        &[
            "valetkey-cache",
            "valetkey-client",
            "valetkey-engine",
            "valetkey-ipc",
            "valetkey-model",
            "valetkey-oauth",
            "valetkey-policy",
            "valetkey-proto",
            "valetkey-vault",
            "valetkeyd",
        ],
        "the testkit may use anything of ours that is a library",
    ),
    (
        "valetkey-demo",
        &["valetkey-client", "valetkey-testkit", "valetkeyd"],
        "the demo shows what an application does; it is the daemon's program too, since cargo builds no other for it",
    ),
    (
        "valetkeyd",
        &[
            "valetkey-cache",
            "valetkey-engine",
            "valetkey-ipc",
            "valetkey-model",
            "valetkey-oauth",
            "valetkey-policy",
            "valetkey-proto",
            "valetkey-safe-path",
            "valetkey-vault",
        ],
        "the daemon puts everything together, and is nobody's client; test code does not ship in it",
    ),
    (
        "valetkey-client",
        &["valetkey-ipc", "valetkey-proto", "valetkey-safe-path"],
        "an SDK is thin: it has no policy, cache or retries of its own",
    ),
    (
        "valetkey-msal-caches",
        &["valetkey-safe-path"],
        "what others left on the disk and in the keyring is bytes; the daemon says what they mean",
    ),
    (
        "valetkey",
        &["valetkey-client", "valetkey-model", "valetkey-msal-caches"],
        "the command is a client like any other: it has no private door",
    ),
    (
        "valetkey-tests",
        &["valetkey-client", "valetkey-ipc", "valetkey-proto", "valetkey-testkit"],
        "whole-system tests see what a user sees: programs and sockets",
    ),
    (
        "valetkey-bench",
        &[
            "valetkey-cache",
            "valetkey-client",
            "valetkey-model",
            "valetkey-testkit",
            "valetkey-vault",
        ],
        "it fills stores by itself, and measures programs and sockets",
    ),
    (
        "valetkey-fuzz",
        &[
            "valetkey-cache",
            "valetkey-client",
            "valetkey-engine",
            "valetkey-model",
            "valetkey-oauth",
            "valetkey-policy",
            "valetkey-proto",
            "valetkey-testkit",
            "valetkey-vault",
            "valetkeyd",
        ],
        "it hands bytes to whatever of ours reads some",
    ),
    ("xtask", &[], "the checks must run when the product does not compile"),
];

/// What a package never reaches, over any number of normal dependencies.
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "valetkey-proto",
        &["tokio", "axum"],
        "wire types are used by blocking programs and by other servers' tests",
    ),
    ("valetkey-model", &["serde_json", "tokio", "http"], "nouns have no wire form and do no I/O"),
    (
        "valetkey-oauth",
        &["tokio", "hyper", "reqwest"],
        "it builds and reads messages; somebody else sends them",
    ),
    (
        "valetkey-cache",
        &["tokio", "argon2", "chacha20poly1305", "ring"],
        "the cache is a value; encryption and the disk are the vault's",
    ),
    ("valetkey-policy", &["tokio", "hyper", "reqwest", "redb"], "a decision does no I/O"),
    (
        "valetkey-engine",
        &["reqwest", "axum", "keyring", "redb"],
        "the engine knows the outside only through its own traits",
    ),
    (
        "valetkey-ipc",
        &["axum"],
        "it hands over connections and does not know what is said over them",
    ),
    (
        "valetkey-client",
        &["axum", "reqwest", "redb", "keyring"],
        "a client is thin: it stores nothing and serves nothing",
    ),
    ("valetkey", &["axum", "reqwest", "redb", "keyring"], "the command is a client like any other"),
];

/// The packages that this project is built on by its user's decision.
const FIXED: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "serde",
    "serde_json",
    "reqwest",
    "keyring",
    "tracing",
    "interprocess",
];

pub(super) fn check(workspace: &Workspace) -> Outcome<Vec<Problem>> {
    let mut metadata = workspace.cargo(&["metadata", "--format-version=1", "--all-features"]);
    let graph = Graph::parse(&capture(&mut metadata, "mend the manifest that cargo names above")?)?;
    let mut problems = check_layers(&graph, MAY);
    problems.extend(check_never(&graph, NEVER));
    problems.extend(check_fixed(&graph, FIXED));
    problems.extend(check_all_used(&graph, &read(workspace, "Cargo.toml")?));
    match read(workspace, "ARCHITECTURE.md") {
        Ok(text) => problems.extend(check_described(&graph, &text)),
        Err(_) => problems.push(Problem::new("ARCHITECTURE.md", "is not there", DESCRIBED)),
    }
    Ok(problems)
}

fn read(workspace: &Workspace, path: &str) -> Outcome<String> {
    fs::read_to_string(workspace.root.join(path))
        .map_err(|error| Failure::new(format!("cannot read {path}: {error}"), "restore the file"))
}

fn check_layers(graph: &Graph, may: &[(&str, &[&str], &'static str)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in graph.ours() {
        let Some((_, allowed, why)) = may.iter().find(|(name, ..)| *name == package.name) else {
            let why = "every package of ours has its place among the others";
            problems.push(Problem::new(&package.name, "has no row in the table MAY", why));
            continue;
        };
        let ours = graph.ours().filter(|other| package.normal.contains(&other.name));
        for other in ours.filter(|other| !allowed.contains(&other.name.as_str())) {
            problems.push(Problem::new(&package.name, format!("depends on {}", other.name), why));
        }
    }
    problems
}

fn check_never(graph: &Graph, never: &[(&str, &[&str], &'static str)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (package, forbidden, why) in never {
        for other in *forbidden {
            if let Some(path) = graph.find_path(package, other) {
                problems.push(Problem::new(
                    *package,
                    format!("reaches {other}: {}", path.join(" -> ")),
                    why,
                ));
            }
        }
    }
    problems
}

fn check_fixed(graph: &Graph, fixed: &[&str]) -> Vec<Problem> {
    let why = "this project is built on it; what is not used for what it is for is not used";
    fixed
        .iter()
        .filter(|name| !graph.ours().any(|package| package.normal.contains(**name)))
        .map(|name| Problem::new(*name, "no package of ours depends on it", why))
        .collect()
}

fn check_all_used(graph: &Graph, manifest: &str) -> Vec<Problem> {
    let why = "a line that nobody uses looks like a decision";
    workspace_dependencies(manifest)
        .filter(|name| !graph.ours().any(|package| package.named.contains(*name)))
        .map(|name| {
            Problem::new("Cargo.toml", format!("[workspace.dependencies] {name} is not used"), why)
        })
        .collect()
}

/// The keys of the table, which has one entry on each line.
fn workspace_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim())
}

const DESCRIBED: &str =
    "ARCHITECTURE.md is the map of the repository: a place that is not on it is not found";

/// A package is described under its name or under its folder.
fn check_described(graph: &Graph, architecture: &str) -> Vec<Problem> {
    graph
        .ours()
        .filter(|package| {
            !architecture.contains(&format!("`{}`", package.name))
                && !architecture.contains(&format!("`{}", package.folder))
        })
        .map(|package| {
            Problem::new(
                "ARCHITECTURE.md",
                format!("does not mention `{}`", package.folder),
                DESCRIBED,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
