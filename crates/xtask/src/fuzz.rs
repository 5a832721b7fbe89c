//! `cargo xtask fuzz`: the targets of `tests/fuzz` under libFuzzer, one after another, and what came of each.
//!
//! cargo-fuzz builds with the address sanitizer, which the compiler keeps for its nightly releases; `RUSTC_BOOTSTRAP` has the
//! stable one do it, so that what is fuzzed is built by what builds the rest. New inputs stay below the target folder: the
//! corpus in the repository grows by hand, by what is worth keeping.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup::{Need, Setup};
use crate::shell::{Failure, Outcome, Workspace, run as run_program, stopwatch};
use crate::tools::{self, Tool};

/// Another version may want other options.
const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };
const FOLDER: &str = "tests/fuzz";
/// How long each target runs unless somebody says otherwise.
const SECONDS: u32 = 300;
/// No input is worth more seconds, or more memory in MiB.
const LIMITS: [&str; 2] = ["-timeout=30", "-rss_limit_mb=4096"];

pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let (named, seconds) = read(arguments)?;
    let targets = choose(workspace, &named)?;
    Setup::new(workspace).meet(&[Need::Debian(&["g++"])])?;
    let fuzzer = Fuzzer { workspace, program: tools::install(workspace, &CARGO_FUZZ)? };
    fuzzer.build(&named)?;
    let rows = targets.iter().map(|target| fuzzer.run(target, seconds));
    conclude(&rows.collect::<Outcome<Vec<_>>>()?)
}

/// The targets that are named, and for how many seconds each runs.
fn read<'a>(arguments: &[&'a str]) -> Outcome<(Vec<&'a str>, u32)> {
    let (mut named, mut seconds) = (Vec::new(), SECONDS);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--seconds" => {
                let number = rest.next().and_then(|text| text.parse().ok());
                seconds = number.filter(|seconds| *seconds > 0).ok_or_else(|| {
                    Failure::new("--seconds needs a number", "write `--seconds 60`")
                })?;
            }
            option if option.starts_with('-') => {
                let what = format!("there is no option {option:?}");
                return Err(Failure::new(what, "see `cargo xtask help`"));
            }
            target => named.push(target),
        }
    }
    Ok((named, seconds))
}

/// Known by their files before anything is installed.
fn choose(workspace: &Workspace, named: &[&str]) -> Outcome<Vec<String>> {
    let files = fs::read_dir(workspace.root.join(FOLDER).join("fuzz_targets"));
    let files = files.into_iter().flatten().flatten().map(|file| file.path());
    let names = files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    let mut all: Vec<_> = names.collect();
    all.sort();
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|target| target == *name)) {
        let known = format!("name some of {}", all.join(", "));
        return Err(Failure::new(format!("there is no target {unknown:?}"), known));
    }
    all.retain(|target| named.is_empty() || named.contains(&target.as_str()));
    Ok(all)
}

struct Fuzzer<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
}

/// What came of one target.
#[derive(Debug, Default, PartialEq)]
struct Row {
    target: String,
    inputs: u64,
    new: u64,
    seconds: u64,
    /// The input that something is wrong with.
    finding: Option<String>,
}

impl Fuzzer<'_> {
    fn cargo_fuzz(&self, verb: &str) -> Command {
        let mut command = self.workspace.program(&self.program);
        command.args([verb, "--fuzz-dir", FOLDER]);
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", self.folder());
        // Small steps and names in the traces are worth more here than the last bit of speed, which thin LTO would cost
        // minutes for at each target.
        command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_STRIP", "none");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        command.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
        command
    }

    /// Where programs, new inputs and findings are.
    fn folder(&self) -> PathBuf {
        self.workspace.target.join("fuzz")
    }

    fn build(&self, named: &[&str]) -> Outcome {
        let mut build = self.cargo_fuzz("build");
        build.args(["--features", "libfuzzer"]);
        // One name at most: without any, all are built at once.
        if let [target] = named {
            build.arg(target);
        }
        run_program(&mut build, "mend the build")
    }

    fn run(&self, target: &str, seconds: u32) -> Outcome<Row> {
        let corpus = self.make_folder("corpus", target)?;
        let findings = self.make_folder("findings", target)?;
        let log = findings.join("log");
        let mut run = self.cargo_fuzz("run");
        run.args(["--features", "libfuzzer", target]).arg(&corpus);
        run.arg(Path::new(FOLDER).join("corpus").join(target)).arg("--").args(LIMITS);
        run.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
        run.arg(format!("-artifact_prefix={}/", findings.display()));
        let written = File::create(&log).map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", log.display()), "see the folder")
        })?;
        eprintln!("{target}: {seconds} s, see {}", log.display());
        let started = stopwatch();
        let ended = run.stderr(written).status().is_ok_and(|status| status.success());
        let said = fs::read(&log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let seconds = started.elapsed().as_secs();
        Ok(Row { target: target.to_owned(), seconds, ..read_log(&said, ended, &log) })
    }

    fn make_folder(&self, kind: &str, target: &str) -> Outcome<PathBuf> {
        let folder = self.folder().join(kind).join(target);
        fs::create_dir_all(&folder).map_err(|error| {
            let what = format!("cannot make {}: {error}", folder.display());
            Failure::new(what, "see the permissions of the target folder")
        })?;
        Ok(folder)
    }
}

/// What libFuzzer says at its end.
fn read_log(said: &str, ended_well: bool, log: &Path) -> Row {
    let number = |name: &str| {
        let mut lines = said.lines().rev();
        let value = lines.find_map(|line| line.strip_prefix(name)).map(str::trim);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let reproducer = said.lines().find_map(|line| line.split_once("Test unit written to "));
    let finding = match (ended_well, reproducer) {
        (true, _) => None,
        (false, Some((_, path))) => Some(path.trim().to_owned()),
        (false, None) => Some(format!("no input, see {}", log.display())),
    };
    Row {
        inputs: number("stat::number_of_executed_units:"),
        new: number("stat::new_units_added:"),
        finding,
        ..Row::default()
    }
}

fn conclude(rows: &[Row]) -> Outcome {
    println!("\n{:<16} {:>12} {:>8} {:>8}  finding", "target", "inputs", "new", "seconds");
    for Row { target, inputs, new, seconds, finding } in rows {
        let finding = finding.as_deref().unwrap_or("none");
        println!("{target:<16} {inputs:>12} {new:>8} {seconds:>8}  {finding}");
    }
    match rows.iter().filter(|row| row.finding.is_some()).count() {
        0 => Ok(()),
        count => Err(Failure::new(
            format!("{count} of {} targets found something", rows.len()),
            format!(
                "the log beside each input says what; copied to {FOLDER}/corpus/<target>, it is a test of the suite `fuzz`"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_seconds_are_read_in_any_order() {
        let read = |arguments| read(arguments).map_err(|failure| failure.to_string());
        assert_eq!(read(&[]), Ok((vec![], SECONDS)));
        assert_eq!(read(&["store", "--seconds", "5", "sdk"]), Ok((vec!["store", "sdk"], 5)));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--second", "5"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_target_that_is_not_there_is_refused_before_anything_is_installed() {
        let workspace = Workspace::locate().unwrap();
        assert_eq!(choose(&workspace, &["sdk", "store"]).unwrap(), ["sdk", "store"]);
        assert!(choose(&workspace, &[]).unwrap().len() > 10);
        let refusal = choose(&workspace, &["nosuch"]).unwrap_err().to_string();
        assert!(refusal.contains("nosuch") && refusal.contains("redirect"), "{refusal}");
    }

    #[test]
    fn a_finding_is_told_with_the_input_that_brought_it() {
        let log = Path::new("/log");
        let quiet =
            "#2 INITED\nstat::number_of_executed_units: 70\nstat::new_units_added:          3\n";
        let expected = Row { inputs: 70, new: 3, ..Row::default() };
        assert_eq!(read_log(quiet, true, log), expected);
        let crash = "panicked\nartifact_prefix='/f/'; Test unit written to /f/crash-1\n";
        let finding = |text: &str| Row { finding: Some(text.to_owned()), ..Row::default() };
        assert_eq!(read_log(crash, false, log), finding("/f/crash-1"));
        assert_eq!(read_log("killed", false, log), finding("no input, see /log"));
    }
}
