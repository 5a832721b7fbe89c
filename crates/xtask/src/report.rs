//! What ran, how it ended and how long it took: the summary at the end.

use std::time::Duration;

use crate::shell::{Failure, Outcome, stopwatch};

/// How one check or suite ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(()) => Self::Passed,
            Err(failure) => Self::Failed(failure.to_string()),
        }
    }
}

struct Row {
    name: &'static str,
    verdict: Verdict,
    took: Duration,
}

/// The rows of the summary, in the order in which they ran.
pub(crate) struct Report {
    rows: Vec<Row>,
    skips_fail: bool,
}

impl Report {
    /// With `skips_fail`, as on CI, what was skipped counts as failed.
    pub(crate) fn new(skips_fail: bool) -> Self {
        Self { rows: Vec::new(), skips_fail }
    }

    /// Runs `check`, times it and keeps how it ended. Tells whether that was well.
    pub(crate) fn record(&mut self, name: &'static str, check: impl FnOnce() -> Verdict) -> bool {
        eprintln!("\n=== {name}");
        let started = stopwatch();
        let verdict = match check() {
            Verdict::Skipped(why) if self.skips_fail => {
                Verdict::Failed(format!("skipped, and on CI nothing may be: {why}"))
            }
            verdict => verdict,
        };
        let is_well = !matches!(verdict, Verdict::Failed(_));
        self.rows.push(Row { name, verdict, took: started.elapsed() });
        is_well
    }

    /// Prints the summary. Its last line is `N passed, N failed`, alone, for programs that read the output.
    pub(crate) fn conclude(&self) -> Outcome {
        println!("\n{}", self.summary());
        match self.count(|verdict| matches!(verdict, Verdict::Failed(_))) {
            0 => Ok(()),
            failed => Err(Failure::new(
                format!("{failed} of {} failed", self.rows.len()),
                "read the first failure above; run that suite alone with `cargo xtask test NAME`",
            )),
        }
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let (word, why) = match &row.verdict {
                Verdict::Passed => ("passed", None),
                Verdict::Failed(why) => ("FAILED", Some(why)),
                Verdict::Skipped(why) => ("skipped", Some(why)),
            };
            text += &format!("{word:<8} {:<12} {:>7.1} s\n", row.name, row.took.as_secs_f64());
            if let Some(why) = why {
                text += &format!("         {}\n", why.replace('\n', "\n         "));
            }
        }
        let passed = self.count(|verdict| matches!(verdict, Verdict::Passed));
        let failed = self.count(|verdict| matches!(verdict, Verdict::Failed(_)));
        text + &format!("{passed} passed, {failed} failed")
    }

    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.rows.iter().filter(|row| is_counted(&row.verdict)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(skips_fail: bool, verdict: Verdict, is_well: bool, last_line: &str) {
        let mut report = Report::new(skips_fail);
        assert_eq!(report.record("suite", || verdict), is_well);
        assert_eq!(report.summary().lines().last(), Some(last_line));
        assert_eq!(report.conclude().is_ok(), is_well);
    }

    #[test]
    fn a_skip_is_a_failure_on_ci_alone() {
        check(false, Verdict::Passed, true, "1 passed, 0 failed");
        check(false, Verdict::Failed("broken".into()), false, "0 passed, 1 failed");
        check(false, Verdict::Skipped("no wine".into()), true, "0 passed, 0 failed");
        check(true, Verdict::Skipped("no wine".into()), false, "0 passed, 1 failed");
    }
}
