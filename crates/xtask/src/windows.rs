//! Builds for Windows on Debian and runs what was built under Wine.
//!
//! Debian has no Windows standard library for a Rust this new, so it is built from source with Debian's own toolchain
//! (`-Z build-std`); the toolchain that builds everything else stays as it is. This shows that the code builds and that pipes,
//! files and the credential store behave. Wine is not Windows: it says nothing of installers or of real accounts.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::setup::Need;
use crate::shell::{Failure, Outcome, Workspace, capture, run as run_program, succeeds};

/// What is built of one package.
struct Build {
    package: &'static str,
    /// Cargo's words for it. Tests among it are run.
    targets: &'static [&'static str],
}

const BUILDS: &[Build] = &[
    Build { package: "valetkeyd", targets: &["--bins"] },
    Build { package: "valetkey", targets: &["--bins"] },
    Build { package: "valetkey-ipc", targets: &["--tests"] },
    Build { package: "valetkey-tests", targets: &["--test", "end_to_end"] },
];

pub(crate) const NEEDS: &[Need] = &[Need::Debian(&[
    "cargo-web",
    "gcc-mingw-w64-x86-64",
    "rust-web-src",
    "rustc-web",
    "wine",
    "wine64",
])];

const WINE: &str = "/usr/lib/wine/wine64";
const TRIPLE: &str = "x86_64-pc-windows-gnu";

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut tests = Vec::new();
    for build in BUILDS {
        tests.extend(build_for_windows(workspace, build)?);
    }
    lay_missing_library(workspace)?;
    let wine = Wine::start(workspace)?;
    tests.iter().try_for_each(|test| wine.run(test))
}

/// A test program, and the folder of its package, in which tests start.
#[derive(Debug, PartialEq)]
struct TestProgram {
    executable: PathBuf,
    folder: PathBuf,
}

/// Every build names `test` in the standard library and takes the features of the whole workspace, needed or not: so they all
/// share one standard library and one build of each dependency.
fn build_for_windows(workspace: &Workspace, build: &Build) -> Outcome<Vec<TestProgram>> {
    let mut cargo = workspace.program("/usr/bin/cargo");
    cargo.args(["build", "--locked", "--target", TRIPLE, "--target-dir"]).arg(target(workspace));
    cargo.args(["-Zbuild-std=std,panic_abort,test", "-Zfeature-unification"]);
    cargo.args(["--config", "resolver.feature-unification='workspace'"]);
    // Nothing is measured under Wine, and building is most of the time.
    cargo.args(["--config", "profile.dev.package.'*'.opt-level=0"]);
    cargo.args(["--message-format=json-render-diagnostics", "--package", build.package]);
    cargo.args(build.targets);
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", path_of_debian())
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    eprintln!("{}: building for Windows", build.package);
    let messages = capture(
        &mut cargo,
        "mend the build for Windows: gate what is Unix alone with `#[cfg(unix)]`",
    )?;
    Ok(find_test_programs(&messages))
}

fn find_test_programs(messages: &str) -> Vec<TestProgram> {
    let read = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"].as_bool()?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_path_buf();
        let executable = PathBuf::from(message["executable"].as_str()?);
        is_test.then_some(TestProgram { executable, folder })
    };
    messages.lines().filter_map(read).collect()
}

/// Rust's standard library asks `bcryptprimitives.dll` for randomness, which Wine 8 does not have.
fn lay_missing_library(workspace: &Workspace) -> Outcome {
    let programs = target(workspace).join(TRIPLE).join("debug");
    let library = programs.join("bcryptprimitives.dll");
    let mut compile = workspace.program("x86_64-w64-mingw32-gcc");
    compile.args(["-shared", "-O1", "-o"]).arg(&library);
    compile.args(["crates/xtask/src/windows/bcryptprimitives.c", "-ladvapi32"]);
    run_program(&mut compile, "see whether gcc-mingw-w64-x86-64 is whole")?;
    let beside_tests = programs.join("deps/bcryptprimitives.dll");
    fs::copy(&library, &beside_tests).map(drop).map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", beside_tests.display()), "see the disk")
    })
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("windows")
}

/// The folder of Debian's toolchain comes first.
fn path_of_debian() -> OsString {
    let mut path = OsString::from("/usr/bin:");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// Wine with a folder of its own. Dropped, it takes its server along.
struct Wine<'a> {
    workspace: &'a Workspace,
}

impl<'a> Wine<'a> {
    fn start(workspace: &'a Workspace) -> Outcome<Self> {
        let wine = Self { workspace };
        // The first start tells of every piece of the system that it lays down.
        let mut boot = workspace.program_within(5, WINE);
        if succeeds(boot.args(["wineboot", "--init"]).envs(wine.settings())) {
            return Ok(wine);
        }
        Err(Failure::new("Wine does not start", "delete target/wine and run it again"))
    }

    fn run(&self, test: &TestProgram) -> Outcome {
        let mut command = self.workspace.program_within(10, WINE);
        command.arg(&test.executable).envs(self.settings());
        run_program(
            command.current_dir(&test.folder),
            "read the failed test above; run it again with `cargo xtask windows`",
        )
    }

    fn settings(&self) -> [(&'static str, OsString); 3] {
        [
            ("WINEPREFIX", self.workspace.target.join("wine").into_os_string()),
            ("WINEDEBUG", OsString::from("-all")),
            // No entries in the user's menus, no offers to download a browser engine.
            ("WINEDLLOVERRIDES", OsString::from("winemenubuilder.exe=d;mscoree=;mshtml=")),
        ]
    }
}

impl Drop for Wine<'_> {
    fn drop(&mut self) {
        let mut stop = self.workspace.program("/usr/lib/wine/wineserver64");
        succeeds(stop.arg("--kill").envs(self.settings()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_among_cargos_messages() {
        let artifact = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/repo/crates/ipc/Cargo.toml","profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            artifact(false, "null"),
            artifact(false, r#""/target/valetkey.exe""#),
            artifact(true, r#""/target/deps/pipe-1.exe""#),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let expected = TestProgram {
            executable: PathBuf::from("/target/deps/pipe-1.exe"),
            folder: PathBuf::from("/repo/crates/ipc"),
        };
        assert_eq!(find_test_programs(&messages.join("\n")), [expected]);
    }
}
