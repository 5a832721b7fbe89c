//! What `cargo metadata` says of packages and their dependencies, as far as the rules ask.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::shell::{Failure, Outcome};

/// Packages by cargo's id: two versions of one package have the same name.
#[derive(Default)]
pub(super) struct Graph {
    packages: BTreeMap<String, Package>,
}

#[derive(Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// Relative to the root of the repository.
    pub(super) folder: String,
    is_ours: bool,
    /// Names of normal dependencies.
    pub(super) normal: BTreeSet<String>,
    /// Names of dependencies of every kind.
    pub(super) named: BTreeSet<String>,
    /// Ids of normal dependencies, as resolved.
    resolved: Vec<String>,
}

impl Graph {
    pub(super) fn parse(metadata: &str) -> Outcome<Self> {
        let metadata: Value = serde_json::from_str(metadata).map_err(|error| {
            Failure::new(format!("cannot read cargo's metadata: {error}"), "update cargo")
        })?;
        let root = text(&metadata["workspace_root"]);
        let members: BTreeSet<String> = list(&metadata["workspace_members"]).map(text).collect();
        let mut graph = Self::default();
        for package in list(&metadata["packages"]) {
            let id = text(&package["id"]);
            let is_ours = members.contains(&id);
            graph.packages.insert(id, read_package(package, is_ours, &root));
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            if let Some(package) = graph.packages.get_mut(&text(&node["id"])) {
                let normal =
                    list(&node["deps"]).filter(|edge| list(&edge["dep_kinds"]).any(is_normal));
                package.resolved = normal.map(|edge| text(&edge["pkg"])).collect();
            }
        }
        Ok(graph)
    }

    /// The packages of this repository.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.is_ours)
    }

    /// The names on a shortest way from one of our packages to `goal` over normal dependencies, if there is a way.
    pub(super) fn find_path(&self, start: &str, goal: &str) -> Option<Vec<&str>> {
        let (start, _) =
            self.packages.iter().find(|(_, package)| package.is_ours && package.name == start)?;
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([start.as_str()]);
        while let Some(id) = queue.pop_front() {
            let package = self.packages.get(id)?;
            if package.name == goal {
                return Some(self.names_on_the_way(start, id, &came_from));
            }
            for next in &package.resolved {
                if next != start && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, id);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    fn names_on_the_way<'a>(
        &'a self,
        start: &str,
        goal: &'a str,
        came_from: &BTreeMap<&str, &'a str>,
    ) -> Vec<&'a str> {
        let mut ids = vec![goal];
        while let Some(previous) =
            ids.last().filter(|id| **id != start).and_then(|id| came_from.get(id))
        {
            ids.push(previous);
        }
        ids.iter()
            .rev()
            .filter_map(|id| self.packages.get(*id))
            .map(|package| package.name.as_str())
            .collect()
    }
}

fn read_package(package: &Value, is_ours: bool, root: &str) -> Package {
    let folder = text(&package["manifest_path"]);
    let folder =
        folder.trim_start_matches(root).trim_start_matches('/').trim_end_matches("/Cargo.toml");
    let names = |wanted: fn(&Value) -> bool| {
        list(&package["dependencies"])
            .filter(|edge| wanted(edge))
            .map(|edge| text(&edge["name"]))
            .collect()
    };
    Package {
        name: text(&package["name"]),
        folder: folder.to_owned(),
        is_ours,
        normal: names(is_normal),
        named: names(|_| true),
        resolved: Vec::new(),
    }
}

/// Cargo says `dev` or `build` for the other kinds.
fn is_normal(edge: &Value) -> bool {
    edge["kind"].is_null()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
