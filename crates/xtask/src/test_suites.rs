//! The suites of tests: one row each, with what it needs, what it proves and when it runs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::report::{Report, Verdict};
use crate::setup::{Need, Setup, program_as_root, python};
use crate::shell::{Failure, Outcome, Workspace, capture, run as run_program, succeeds};
use crate::windows;

struct Suite {
    name: &'static str,
    what: &'static str,
    needs: &'static [Need],
    when: When,
    run: fn(&Workspace) -> Outcome,
}

#[derive(PartialEq)]
enum When {
    Always,
    /// By name, and on CI.
    OnRequest,
}

/// In the order in which they run: what is quick to fail comes first.
const SUITES: &[Suite] = &[
    Suite {
        name: "rust",
        what: "unit and integration tests of every crate",
        needs: &[],
        when: When::Always,
        run: |workspace| {
            run_program(&mut test_crates(workspace, Crates::AllBut(&[SYSTEM, FUZZ])), MEND)
        },
    },
    Suite {
        name: "fuzz",
        what: "what fuzzing has found and begun with, once more; `cargo xtask fuzz` looks for new inputs",
        needs: &[Need::File("tests/fuzz/corpus")],
        when: When::Always,
        run: |workspace| run_program(&mut test_crates(workspace, Crates::Only(FUZZ)), MEND),
    },
    Suite {
        name: "doc",
        what: "the examples in the documentation",
        needs: &[],
        when: When::Always,
        run: |workspace| {
            run_program(&mut workspace.cargo(&["test", "--workspace", "--doc", "--quiet"]), MEND)
        },
    },
    Suite {
        name: "keyring",
        what: "the vault, and the caches of other libraries, with a real gnome-keyring on a session bus of its own",
        needs: &[
            Need::Debian(&[
                "dbus",
                "gir1.2-secret-1",
                "gnome-keyring",
                "libsecret-tools",
                "python3-gi",
            ]),
            Need::Python,
            Need::File("tests/keyring/common.sh"),
            Need::File("crates/vault/tests/with-keyring.sh"),
            Need::File("crates/msal-caches/tests/with-keyring.sh"),
        ],
        when: When::Always,
        run: test_keyring,
    },
    Suite {
        name: "provider",
        what: "the OpenID provider that the system tests sign in at, with a real browser",
        needs: PROVIDER,
        when: When::Always,
        run: |workspace| {
            let mut test = workspace.program_within(5, "node");
            test.args(["--test", "--test-timeout=60000"])
                .current_dir(workspace.root.join("tests/oidc-provider"));
            run_program(&mut test, MEND)
        },
    },
    Suite {
        name: "python-sdk",
        what: "the Python SDK against the real daemon",
        needs: &[Need::Python, Need::File("client-sdk/python/tests")],
        when: When::Always,
        run: |workspace| test_python(workspace, "client-sdk/python/tests", &[]),
    },
    Suite {
        name: "systemd",
        what: "the units: their exposure, and both under a real systemd in namespaces of its own",
        needs: &[Need::Root, Need::Debian(&["curl", "dbus", "procps", "python3", "systemd"])],
        when: When::Always,
        run: test_units,
    },
    Suite {
        name: "system",
        what: "real programs and sockets, with providers, clients and a desktop that we did not write",
        needs: &[
            Need::Python,
            PROVIDER[0],
            PROVIDER[1],
            Need::Debian(&["dbus", "dunst", "pinentry-gtk2", "xdotool", "xvfb"]),
        ],
        when: When::Always,
        run: test_system,
    },
    Suite {
        name: "programs",
        what: "applications written for MSAL run unchanged but for one import",
        needs: &[Need::Python, PROVIDER[0], PROVIDER[1]],
        when: When::Always,
        // More than there are cores: most of its time a test waits for a program.
        run: |workspace| test_python(workspace, "tests/python", &["--numprocesses=3"]),
    },
    Suite {
        name: "oracle",
        what: "one application by MSAL for Python and by valetkey, against one recording provider",
        needs: &[Need::Python, PROVIDER[0], PROVIDER[1]],
        when: When::Always,
        run: |workspace| test_python(workspace, "tests/oracle", &[]),
    },
    Suite {
        name: "windows",
        what: "built for Windows, run under Wine",
        needs: windows::NEEDS,
        when: When::OnRequest,
        run: windows::run,
    },
];

const PROVIDER: &[Need] = &[Need::Debian(&["chromium"]), Need::Node("tests/oidc-provider")];

/// The package of the whole-system tests, which need more than cargo.
const SYSTEM: &str = "valetkey-tests";

/// The package whose tests replay what fuzz targets have been given.
const FUZZ: &str = "valetkey-fuzz";

const MEND: &str = "read the failed test above; its name says what should hold";

/// Prints the table.
pub(crate) fn list() {
    for suite in SUITES {
        let when = if suite.when == When::OnRequest { ", on request" } else { "" };
        println!("{:<12} {}{when}", suite.name, suite.what);
        for line in suite.needs.iter().filter_map(Need::describe) {
            println!("{:<12}   {line}", "");
        }
    }
}

/// Runs the named suites, or without names all those that always run.
pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Outcome {
    let suites = choose(names)?;
    let mut report = Report::new(workspace.on_ci);
    let mut setup = Setup::new(workspace);
    for suite in suites {
        report.record(suite.name, || run_suite(workspace, suite, &mut setup));
    }
    report.conclude()
}

/// Runs every suite until one fails.
pub(crate) fn run_all(workspace: &Workspace, report: &mut Report) {
    let mut setup = Setup::new(workspace);
    let _all_well = SUITES
        .iter()
        .all(|suite| report.record(suite.name, || run_suite(workspace, suite, &mut setup)));
}

fn choose(names: &[&str]) -> Outcome<Vec<&'static Suite>> {
    if names.is_empty() {
        return Ok(SUITES.iter().filter(|suite| suite.when == When::Always).collect());
    }
    let find = |name: &&str| {
        SUITES.iter().find(|suite| suite.name == *name).ok_or_else(|| {
            Failure::new(format!("there is no suite {name:?}"), "see `cargo xtask test --list`")
        })
    };
    names.iter().map(find).collect()
}

/// What cannot be set up is skipped, with the reason; [`Report`] makes that a failure on CI.
fn run_suite(workspace: &Workspace, suite: &Suite, setup: &mut Setup<'_>) -> Verdict {
    match setup.meet(suite.needs) {
        Ok(()) => (suite.run)(workspace).into(),
        Err(unmet) => Verdict::Skipped(unmet.to_string()),
    }
}

#[derive(Clone, Copy)]
enum Crates {
    Only(&'static str),
    AllBut(&'static [&'static str]),
}

/// With nextest the choice is a filter over one build of the whole workspace: choosing packages on the command line would
/// choose other features for what they share, and build that again.
fn test_crates(workspace: &Workspace, crates: Crates) -> Command {
    if succeeds(&mut workspace.cargo(&["nextest", "--version"])) {
        let filter = match crates {
            Crates::Only(package) => format!("package({package})"),
            Crates::AllBut(packages) => format!("not (package({}))", packages.join(") | package(")),
        };
        let mut nextest = workspace.program_within(30, "cargo");
        nextest.args(["nextest", "run", "--workspace"]);
        nextest.args(["--no-fail-fast", "--status-level", "fail", "--filterset", &filter]);
        return nextest;
    }
    let mut test = workspace.cargo(&["test", "--quiet", "--no-fail-fast", "--tests"]);
    match crates {
        Crates::Only(package) => test.args(["--package", package]),
        Crates::AllBut(packages) => {
            test.arg("--workspace").args(packages.iter().flat_map(|it| ["--exclude", it]))
        }
    };
    test
}

/// How much of the machine each unit leaves open, in tenths as `systemd-analyze security` scores it. A user unit has much that it
/// cannot shut: the units say why.
const EXPOSURES: &[(&str, &str)] = &[("system", "14"), ("user", "62")];

fn test_units(workspace: &Workspace) -> Outcome {
    for (kind, most) in EXPOSURES {
        let unit = format!("packaging/systemd/{kind}/valetkeyd.service");
        let mut score = workspace.program("systemd-analyze");
        score.args(["security", "--no-pager", "--offline=true"]).arg(format!("--threshold={most}"));
        run_program(score.arg(unit), "what was taken out of the unit needs a reason in it")?;
    }
    build_programs(workspace)?;
    for script in ["run-user-units.sh", "run-system-units.sh"] {
        let mut test = program_as_root(workspace, "timeout")?;
        test.args(["10m", "bash"]).arg(format!("tests/systemd/{script}"));
        run_program(test.arg(workspace.target.join("debug")), MEND)?;
    }
    Ok(())
}

fn test_keyring(workspace: &Workspace) -> Outcome {
    let mut vault = workspace.program_within(10, "bash");
    run_program(vault.arg("crates/vault/tests/with-keyring.sh"), MEND)?;
    // The code by which msal-extensions speaks to a keyring, wherever the environment has its packages.
    let mut locate = workspace.program(python(workspace));
    locate.args(["-c", "import msal_extensions; print(msal_extensions.__path__[0])"]);
    let package = capture(&mut locate, "see `tests/requirements.txt`")?;
    let mut caches = workspace.program_within(10, "bash");
    caches.arg("crates/msal-caches/tests/with-keyring.sh");
    run_program(caches.arg(Path::new(package.trim()).join("libsecret.py")), MEND)
}

fn test_system(workspace: &Workspace) -> Outcome {
    build_programs(workspace)?;
    let mut test = test_crates(workspace, Crates::Only(SYSTEM));
    test.env("PATH", path_with_programs(workspace)).env("VALETKEY_TEST_PYTHON", python(workspace));
    run_program(&mut test, MEND)
}

fn test_python(workspace: &Workspace, folder: &str, options: &[&str]) -> Outcome {
    build_programs(workspace)?;
    let programs = workspace.target.join("debug");
    let mut test = workspace.program_within(10, python(workspace));
    test.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", folder]).args(options);
    test.env("VALETKEYD", programs.join("valetkeyd")).env("VALETKEY", programs.join("valetkey"));
    test.env("VALETKEY_ENTRA_EMULATOR", programs.join("entra-emulator"));
    test.env("PYTHONPATH", workspace.root.join("client-sdk/python/src"));
    test.env("PYTHONDONTWRITEBYTECODE", "1").env("PATH", path_with_programs(workspace));
    run_program(&mut test, MEND)
}

/// `--tests` asks for the same features as a test run does, so that nothing is built twice.
fn build_programs(workspace: &Workspace) -> Outcome {
    run_program(
        &mut workspace.cargo(&["build", "--workspace", "--bins", "--tests"]),
        "mend the build",
    )
}

/// SDKs find the daemon that they start on PATH.
fn path_with_programs(workspace: &Workspace) -> OsString {
    let mut path = workspace.target.join("debug").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], chosen: Result<&[&str], &str>) {
        match (choose(names), chosen) {
            (Ok(suites), Ok(chosen)) => {
                let suites: Vec<_> = suites.iter().map(|suite| suite.name).collect();
                assert_eq!(suites, chosen);
            }
            (Err(failure), Err(why)) => assert!(failure.to_string().contains(why), "{failure}"),
            (suites, chosen) => {
                panic!("{:?} instead of {chosen:?}", suites.map(|suites| suites.len()))
            }
        }
    }

    #[test]
    fn suites_are_chosen_by_name() {
        check(
            &[],
            Ok(&[
                "rust",
                "fuzz",
                "doc",
                "keyring",
                "provider",
                "python-sdk",
                "systemd",
                "system",
                "programs",
                "oracle",
            ]),
        );
        check(&["windows", "doc"], Ok(&["windows", "doc"]));
        check(&["nothing"], Err("there is no suite \"nothing\""));
    }

    #[test]
    fn a_suite_whose_needs_cannot_be_met_is_skipped_with_the_reason() {
        let root = std::path::PathBuf::from("/nonexistent");
        let workspace = Workspace { target: root.join("target"), root, on_ci: false };
        let suite = Suite {
            name: "absent",
            what: "",
            needs: &[Need::File("absent.sh")],
            when: When::Always,
            run: |_| panic!("must not run"),
        };
        let verdict = run_suite(&workspace, &suite, &mut Setup::new(&workspace));
        assert!(matches!(verdict, Verdict::Skipped(why) if why.contains("absent.sh")));
    }
}
