//! The table: its rows, how it reads, and its place in `tests/bench/README.md`. A few of its rows are in the README.

use std::path::Path;
use std::time::Duration;

use crate::Outcome;

const MISSED: &str = "**missed**";

/// A row: a budget, what was measured, and what was measured beside it in the same run.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    budget: String,
    measured: String,
    beside: String,
    verdict: &'static str,
}

impl Row {
    /// A row that was measured.
    pub(crate) fn new(
        what: impl Into<String>,
        budget: impl Into<String>,
        measured: impl Into<String>,
        beside: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self {
            what: what.into(),
            budget: budget.into(),
            measured: measured.into(),
            beside: beside.into(),
            verdict: if holds { "ok" } else { MISSED },
        }
    }

    /// A row that cannot be measured here.
    pub(crate) fn skipped(
        what: impl Into<String>,
        budget: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            budget: budget.into(),
            measured: format!("not measured: {}", why.into()),
            beside: String::new(),
            verdict: "–",
        }
    }
}

/// The table as Markdown, with what it was measured on.
pub(crate) fn render(rows: &[Row], busy: &str, took: Duration) -> String {
    let mut text = render_rows(rows.iter());
    text.push_str(&format!(
        "\n{}; load average {busy}; the run took {:.0} s.\n",
        machine(),
        took.as_secs_f64()
    ));
    text
}

/// The rows that are in the README, by how they begin.
const HEADLINES: &[&str] = &[
    "silent hit, Rust SDK, blocking; each process on its own core",
    "1,000 callers",
    "durable save",
    "memory, idle",
];

/// What the README has of the table.
fn render_headlines(rows: &[Row]) -> String {
    let is_headline = |row: &&Row| HEADLINES.iter().any(|begin| row.what.starts_with(begin));
    let missed = rows.iter().filter(|row| row.verdict == MISSED).count();
    format!(
        "{}\nOf the {} rows of [the whole table](tests/bench/README.md) {missed} miss their budget; it says why.\n",
        render_rows(rows.iter().filter(is_headline)),
        rows.len()
    )
}

fn render_rows<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::from(
        "| what | budget | measured | beside it, in the same run | |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let cells = [&row.what, &row.budget, &row.measured, &row.beside];
        for cell in cells {
            text.push_str("| ");
            text.push_str(&cell.replace('|', "\\|"));
            text.push(' ');
        }
        text.push_str(&format!("| {} |\n", row.verdict));
    }
    text
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read_word("/proc/sys/kernel/osrelease");
    // What follows is a distributor's.
    let kernel = kernel.split('-').next().unwrap_or_default();
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("", |(_, name)| name);
    format!("{cpus} cores of {model}, Linux {kernel}")
}

/// How busy the machine was in the last minute.
pub(crate) fn load_average() -> String {
    read_word("/proc/loadavg")
}

fn read_word(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Puts the table into `tests/bench/README.md`, and what the README has of it there.
pub(crate) fn update_readmes(rows: &[Row], table: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    update(&folder.join("README.md"), table)?;
    update(&folder.join("../../README.md"), &render_headlines(rows))
}

/// Puts a table between its markers.
fn update(path: &Path, table: &str) -> Outcome {
    let text = std::fs::read_to_string(path)?;
    let replaced = replace(&text, table)
        .ok_or_else(|| format!("{} has no bench:begin and bench:end", path.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    std::io::Write::write_all(&mut file, replaced.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    file.persist(path)?;
    Ok(())
}

fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_old_one() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(replace(&text, "new\n").unwrap(), format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert!(replace("no markers", "new\n").is_none());
    }

    #[test]
    fn the_readme_has_a_few_rows_and_says_how_many_miss_their_budget() {
        let rows = [
            Row::new("1,000 callers, one expired token", "1", "2", "3", true),
            Row::new("size", "1", "2", "3", false),
        ];
        let text = render_headlines(&rows);
        assert!(text.contains("| 1,000 callers, one expired token | 1 | 2 | 3 | ok |"), "{text}");
        assert!(!text.contains("| size"), "{text}");
        assert!(text.contains("Of the 2 rows"), "{text}");
        assert!(text.contains("1 miss their budget"), "{text}");
    }

    #[test]
    fn a_row_says_whether_its_budget_holds() {
        let rows = [
            Row::new("speed", "1", "2", "3", true),
            Row::new("size", "1", "2", "a|b", false),
            Row::skipped("rest", "1", "not here"),
        ];
        let text = render(&rows, "0.1", Duration::from_secs(3));
        assert!(text.contains("| speed | 1 | 2 | 3 | ok |"), "{text}");
        assert!(text.contains("| size | 1 | 2 | a\\|b | **missed** |"), "{text}");
        assert!(text.contains("| rest | 1 | not measured: not here |  | – |"), "{text}");
    }
}
