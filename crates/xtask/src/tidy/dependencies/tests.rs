//! Each rule about dependencies, shown failing on a small workspace.

use serde_json::{Value, json};

use super::*;

/// A package, and the names and kinds of its dependencies.
type Sample<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

/// What begins with `our-` is ours.
fn graph(packages: &[Sample<'_>]) -> Graph {
    let ids = || packages.iter().map(|(name, _)| *name);
    let metadata = json!({
        "workspace_root": "/repo",
        "workspace_members": ids().filter(|name| name.starts_with("our-")).collect::<Vec<_>>(),
        "packages": packages.iter().map(|(name, dependencies)| json!({
            "id": name,
            "name": name,
            "manifest_path": format!("/repo/crates/{name}/Cargo.toml"),
            "dependencies": dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "resolve": {"nodes": packages.iter().map(|(name, dependencies)| json!({
            "id": name,
            "deps": dependencies.iter().map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]})).collect::<Vec<Value>>(),
        })).collect::<Vec<_>>()},
    });
    Graph::parse(&metadata.to_string()).unwrap()
}

/// `our-engine` reaches tokio through a helper, and names our-vault; its tests name our-testkit.
fn sample() -> Graph {
    graph(&[
        ("our-engine", &[("our-vault", None), ("helper", None), ("our-testkit", Some("dev"))]),
        ("our-vault", &[]),
        ("our-testkit", &[("axum", None)]),
        ("helper", &[("tokio", None)]),
        ("axum", &[]),
        ("tokio", &[]),
    ])
}

fn check(problems: Vec<Problem>, expected: &[&str]) {
    let found: Vec<_> =
        problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_arrow_that_the_table_does_not_have_is_a_problem() {
    let rows: &[(&str, &[&str], &str)] = &[
        ("our-engine", &["our-vault"], "why"),
        ("our-vault", &[], "why"),
        ("our-testkit", &[], "why"),
    ];
    check(check_layers(&sample(), rows), &[]);
    let rows: &[(&str, &[&str], &str)] = &[("our-engine", &[], "why"), ("our-vault", &[], "why")];
    check(
        check_layers(&sample(), rows),
        &["our-engine: depends on our-vault", "our-testkit: has no row in the table MAY"],
    );
}

#[test]
fn a_forbidden_package_is_found_through_others_but_not_through_tests() {
    check(
        check_never(&sample(), &[("our-engine", &["tokio", "axum"], "why")]),
        &["our-engine: reaches tokio: our-engine -> helper -> tokio"],
    );
}

#[test]
fn a_fixed_package_must_be_named_by_one_of_ours() {
    check(
        check_fixed(&sample(), &["helper", "tokio"]),
        &["tokio: no package of ours depends on it"],
    );
}

#[test]
fn a_shared_dependency_that_nobody_uses_is_a_problem() {
    let manifest = "\
[workspace.dependencies]
# Comments and versions do not matter.
helper = \"1\"
our-testkit = { path = \"crates/testkit\" }
unused = { version = \"2\", features = [\"x = 1\"] }

[profile.dev]
debug = 1
";
    check(
        check_all_used(&sample(), manifest),
        &["Cargo.toml: [workspace.dependencies] unused is not used"],
    );
}

#[test]
fn the_map_names_every_package() {
    let architecture = "`our-engine` and `crates/our-vault` and our-testkit";
    check(
        check_described(&sample(), architecture),
        &["ARCHITECTURE.md: does not mention `crates/our-testkit`"],
    );
}

#[test]
fn no_row_of_the_tables_names_a_package_twice() {
    for rows in [MAY, NEVER] {
        let mut names: Vec<_> = rows.iter().map(|(name, ..)| name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
