//! A process is killed while it saves, again and again: what it acknowledged is there.
//!
//! The test is its own child: with a folder as argument it opens the store and saves records in a
//! loop, writing a line after each save that returned. Once more while keys are replaced all the time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(unix)]
mod common;

#[cfg(unix)]
fn main() {
    if common::is_listing("every_acknowledged_save_survives_a_kill") {
        return;
    }
    match std::env::args().nth(1).as_deref() {
        Some("saving") => unix::save_in_a_loop(false),
        Some("rotating") => unix::save_in_a_loop(true),
        _ => {
            unix::every_acknowledged_save_survives_a_kill("saving");
            unix::every_acknowledged_save_survives_a_kill("rotating");
        }
    }
}

/// Windows has no SIGKILL whose moment a test could choose from outside without an own harness.
#[cfg(not(unix))]
fn main() {
    println!("skipped: kills are tested on Unix");
}

#[cfg(unix)]
mod unix {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use valetkey_vault::{KeyProvider, Upkeep};

    use crate::common::{NOW, Seeded, only, open_file_store, options, put, ready, records};

    const KILLS: usize = 50;
    const KEYS: u64 = 7;

    /// Saves `<number>` under key `<number % KEYS>`, from the number given on, until killed.
    pub(super) fn save_in_a_loop(rotates: bool) {
        let arguments: Vec<String> = std::env::args().collect();
        let options = options(Path::new(&arguments[2]), only(KeyProvider::File));
        let mut vault = ready(&options).unwrap();
        let mut out = std::io::stdout();
        for number in arguments[3].parse::<u64>().unwrap().. {
            let filler = ".".repeat(number as usize % 3000);
            let change = put(&(number % KEYS).to_string(), format!("{number} {filler}"));
            vault.save("p", &[change]).unwrap();
            writeln!(out, "{number}").unwrap();
            match number % 4 {
                _ if !rotates => {}
                0 => vault.rotate_data_keys(None, NOW).unwrap(),
                1 => vault.rotate_wrapping_key(KeyProvider::File, &options).unwrap(),
                _ => while vault.upkeep(&options).unwrap() == Upkeep::More {},
            }
        }
    }

    pub(super) fn every_acknowledged_save_survives_a_kill(child: &str) {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        drop(open_file_store(&state));
        let random = Seeded::new(5);
        let mut last = HashMap::new();
        let mut next = 0;
        for kill in 0..KILLS {
            for number in run_and_kill(child, &state, next, &random) {
                last.insert(number % KEYS, number);
                next = number + 1;
            }
            let vault = open_file_store(&state);
            assert_eq!(vault.incidents(), [], "kill {kill}");
            let found = records(&vault, "p");
            for (key, acknowledged) in &mut last {
                let value = String::from_utf8(found[&key.to_string()].clone()).unwrap();
                let number: u64 = value.split(' ').next().unwrap().parse().unwrap();
                // A save may be complete although the kill came before its acknowledgement.
                assert!(
                    number == *acknowledged || number == next && number % KEYS == *key,
                    "kill {kill}: key {key} has {number}, acknowledged was {acknowledged}"
                );
                *acknowledged = number;
            }
            next += 1;
        }
        assert!(last.len() as u64 == KEYS && next > 2 * KILLS as u64, "{next} saves are too few");
        println!("{KILLS} kills while {child}, {next} saves: every acknowledged one was there");
        check_keys(&state);
    }

    /// What the last kill has left to do is done, and one key is there.
    fn check_keys(state: &Path) {
        let options = options(state, only(KeyProvider::File));
        let mut vault = ready(&options).unwrap();
        let before = records(&vault, "p");
        while vault.upkeep(&options).unwrap() == Upkeep::More {}
        assert!(!vault.is_sealing_anew());
        assert_eq!(records(&vault, "p"), before);
        let names = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name());
        let keys = names.filter(|name| name.to_string_lossy().starts_with("key-"));
        assert_eq!(keys.count(), 1);
    }

    /// Runs a child, kills it after a random number of acknowledgements and a random moment more,
    /// and answers all that it acknowledged.
    fn run_and_kill(child: &str, state: &Path, next: u64, random: &Seeded) -> Vec<u64> {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([child, state.to_str().unwrap(), &next.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..1 + random.below(12) {
            lines.read_line(&mut text).unwrap();
        }
        // The moment within the next save: so many turns of a busy loop, up to about a save's time.
        for turn in 0..random.below(400_000) {
            std::hint::black_box(turn);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.read_to_string(&mut text).unwrap();
        // A line that the kill cut in two has no end and acknowledges nothing.
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| line.trim().parse().unwrap()).collect()
    }
}
