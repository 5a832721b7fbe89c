//! What a suite needs beside the Rust toolchain: Debian packages, Python packages, Node packages.
//!
//! Everything but Debian packages goes under `target/` or a `node_modules` folder, and is kept for the next run.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Failure, Outcome, Workspace, run as run_program, succeeds};

/// One thing that must be there before a suite can run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Need {
    /// Debian packages, installed where we are root or may become it.
    Debian(&'static [&'static str]),
    /// The virtual environment under `target/`, with what `tests/requirements.txt` pins.
    Python,
    /// A folder with a `package-lock.json`, whose packages go to its own `node_modules`.
    Node(&'static str),
    /// A file of the repository.
    File(&'static str),
    /// To be root, or to become it without a password: for a suite that makes namespaces and mounts.
    Root,
}

impl Need {
    /// In words; none for what is in the repository anyway.
    pub(crate) fn describe(&self) -> Option<String> {
        Some(match self {
            Self::Debian(packages) => format!("installs: {}", packages.join(", ")),
            Self::Python => "needs Python 3.9 or newer; packages go to target/venv".to_owned(),
            Self::Node(folder) => {
                format!("needs Node 20 or newer; packages go to {folder}/node_modules")
            }
            Self::File(_) => return None,
            Self::Root => "needs root, or sudo without a password".to_owned(),
        })
    }
}

/// Meets needs, each of them once.
pub(crate) struct Setup<'a> {
    workspace: &'a Workspace,
    met: HashSet<Need>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, met: HashSet::new() }
    }

    pub(crate) fn meet(&mut self, needs: &[Need]) -> Outcome {
        for need in needs {
            if self.met.contains(need) {
                continue;
            }
            match *need {
                Need::Debian(packages) => install_debian_packages(self.workspace, packages)?,
                Need::Python => install_python_packages(self.workspace)?,
                Need::Node(folder) => install_node_packages(self.workspace, folder)?,
                Need::File(path) => require_file(self.workspace, path)?,
                Need::Root => program_as_root(self.workspace, "true").map(drop)?,
            }
            self.met.insert(*need);
        }
        Ok(())
    }
}

/// The interpreter that has what `tests/requirements.txt` pins.
pub(crate) fn python(workspace: &Workspace) -> PathBuf {
    workspace.target.join("venv/bin/python")
}

fn require_file(workspace: &Workspace, path: &str) -> Outcome {
    if workspace.root.join(path).exists() {
        return Ok(());
    }
    Err(Failure::new(
        format!("{path} is not there"),
        "restore it, or take the suite out of the table",
    ))
}

fn install_debian_packages(workspace: &Workspace, packages: &[&str]) -> Outcome {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| !is_installed(workspace, package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let by_hand = format!("install by hand what gives you: {names}");
    if !succeeds(workspace.program("apt-get").arg("--version")) {
        return Err(Failure::new(
            format!("no apt-get to install Debian packages: {names}"),
            by_hand,
        ));
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = program_as_root(workspace, "env").map_err(|_| {
            Failure::new(format!("missing Debian packages, and not root: {names}"), &by_hand)
        })?;
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        run_program(&mut command, &by_hand)
    };
    let mut install = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    install.extend(&missing);
    // A package list that is absent or old makes the first try fail; only then is a new one worth its time.
    apt_get(&install).or_else(|_| {
        apt_get(&["update", "--quiet=2"])?;
        apt_get(&install)
    })
}

fn is_installed(workspace: &Workspace, package: &str) -> bool {
    let mut query = workspace.program("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    query.output().is_ok_and(|output| output.stdout == b"installed")
}

/// A program run as root, where that can be had without asking for a password.
pub(crate) fn program_as_root(workspace: &Workspace, program: &str) -> Outcome<Command> {
    let identity = workspace.program("id").arg("-u").output();
    if identity.is_ok_and(|output| output.stdout == b"0\n") {
        return Ok(workspace.program(program));
    }
    let mut command = workspace.program("sudo");
    command.arg("--non-interactive");
    if succeeds(workspace.program("sudo").args(["--non-interactive", "true"])) {
        command.arg(program);
        return Ok(command);
    }
    Err(Failure::new(
        "not root, and sudo is not there or asks for a password",
        "run `sudo --validate` first",
    ))
}

fn install_python_packages(workspace: &Workspace) -> Outcome {
    let requirements = workspace.root.join("tests/requirements.txt");
    require_file(workspace, "tests/requirements.txt")?;
    let venv = workspace.target.join("venv");
    let installed = venv.join("requirements.installed.txt");
    if is_same(&requirements, &installed)
        && succeeds(workspace.program(python(workspace)).arg("--version"))
    {
        return Ok(());
    }
    // Debian splits the part of Python that makes an environment with pip into a package of its own.
    if !succeeds(workspace.program("python3").args(["-c", "import ensurepip, venv"])) {
        install_debian_packages(workspace, &["python3", "python3-venv"])?;
    }
    let mut create = workspace.program("python3");
    create.args(["-m", "venv", "--clear"]).arg(&venv);
    run_program(&mut create, "see that `python3 -m venv` works (3.9 or newer)")?;
    let mut install = workspace.program(python(workspace));
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    run_program(install.arg(&requirements), "see whether the package index can be reached")?;
    remember(&requirements, &installed)
}

fn install_node_packages(workspace: &Workspace, folder: &str) -> Outcome {
    let lock = format!("{folder}/package-lock.json");
    require_file(workspace, &lock)?;
    let folder = workspace.root.join(folder);
    let lock = workspace.root.join(lock);
    let installed = folder.join("node_modules/.installed-package-lock.json");
    if is_same(&lock, &installed) {
        return Ok(());
    }
    let mut install = workspace.program("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    run_program(
        &mut install,
        "install Node.js 20 or newer, and see whether the registry can be reached",
    )?;
    remember(&lock, &installed)
}

fn is_same(wanted: &Path, installed: &Path) -> bool {
    fs::read(wanted)
        .is_ok_and(|wanted| fs::read(installed).is_ok_and(|installed| installed == wanted))
}

/// Keeps a copy of the list beside what was installed from it, so that the next run sees whether it changed.
fn remember(list: &Path, installed: &Path) -> Outcome {
    fs::copy(list, installed).map(drop).map_err(|error| {
        Failure::new(
            format!("cannot write {}: {error}", installed.display()),
            "see the folder's permissions",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(root: &Path) -> Workspace {
        Workspace { root: root.to_path_buf(), target: root.join("target"), on_ci: false }
    }

    #[test]
    fn a_missing_file_is_named() {
        let workspace = workspace(Path::new("/nonexistent"));
        let failure = Setup::new(&workspace).meet(&[Need::File("tests/run.sh")]).unwrap_err();
        assert!(failure.to_string().contains("tests/run.sh is not there"), "{failure}");
    }

    #[test]
    fn what_was_installed_is_compared_by_content() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(is_same(&manifest, &manifest));
        assert!(!is_same(&manifest, &manifest.with_file_name("src/main.rs")));
        assert!(!is_same(&manifest, &manifest.with_file_name("absent")));
    }
}
