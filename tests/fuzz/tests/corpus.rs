//! All that is in the corpora through all targets, and stories from seeds: what once was found does not come back.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use valetkey_fuzz::{TARGETS, Target};

/// Where all of this is.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The inputs of one target's corpus, each with its name, in an order that does not change.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder("corpus").join(target)).expect("each target has a corpus");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("an input can be read"));
    paths.into_iter().map(read).collect()
}

fn check(name: &str) {
    let (_, run): &(_, Target) =
        TARGETS.iter().find(|(target, _)| *target == name).expect("a target of this name");
    let inputs = corpus(name);
    assert!(!inputs.is_empty(), "the corpus of {name} is empty");
    for (path, input) in inputs {
        println!("{}", path.display());
        run(&input);
    }
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        /// A target that is not replayed, or has no program, is not there.
        #[test]
        fn every_target_is_built_and_replayed() {
            let replayed = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let listed: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(replayed, listed);
            let manifest = fs::read_to_string(folder("Cargo.toml")).expect("there is a manifest");
            let manifest: toml::Table = manifest.parse().expect("it is TOML");
            let programs = manifest["bin"].as_array().expect("it has programs").iter();
            let programs = programs.filter_map(|program| program["name"].as_str());
            assert_eq!(programs.map(str::to_owned).collect::<BTreeSet<_>>(), listed);
        }
    };
}

replay! {
    answers authority cache_import configuration credentials discovery federation fragments redirect
    requests sdk store stored_entry story token_response
}

/// Stories as libFuzzer would begin without a corpus. Each is the same in every run.
#[test]
fn no_order_of_events_loses_a_token_or_hands_it_to_another() {
    for seed in 0..120_u64 {
        let bytes = Bytes(seed).take(32 * (1 + seed as usize % 40)).collect::<Vec<_>>();
        println!("seed {seed}");
        valetkey_fuzz::story::run(&bytes);
    }
}

/// Random-looking bytes (SplitMix64).
struct Bytes(u64);

impl Iterator for Bytes {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some((mixed ^ (mixed >> 31)) as u8)
    }
}
