//! What the program says of itself.

use crate::support::new_endpoint;
use crate::{outcome, run, valetkey};

#[test]
fn help_documents_the_verbs_and_the_exit_codes() {
    let (endpoint, _folder) = new_endpoint();
    let expected = include_str!("help.txt");
    assert_eq!(run(&mut valetkey(&endpoint, &["--help"]), ""), outcome(expected, "", 0));
}

#[test]
fn the_command_line_is_free_of_contradictions() {
    valetkey_cli::command().debug_assert();
}

#[test]
fn every_shell_has_its_completions() {
    let (endpoint, _folder) = new_endpoint();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let result = run(&mut valetkey(&endpoint, &["completions", shell]), "");
        assert_eq!((result.stderr.as_str(), result.exit), ("", 0), "{shell}");
        for option in ["oidc-authority", "no-validate-authority", "no-instance-discovery"] {
            assert!(result.stdout.contains(option), "{shell}: {option}");
        }
    }
}

#[test]
fn another_word_is_not_suggested() {
    let (endpoint, _folder) = new_endpoint();
    for (word, suggested) in [("bogus", ""), ("lgoin", "'login'"), ("acounts", "'accounts'")] {
        let told = run(&mut valetkey(&endpoint, &[word]), "").stderr;
        assert_eq!(told.contains("a similar subcommand exists"), !suggested.is_empty(), "{told}");
        assert!(told.contains(suggested), "{told}");
    }
}

#[test]
fn json_has_a_short_name_which_the_help_leaves_out() {
    let (endpoint, _folder) = new_endpoint();
    let told = run(&mut valetkey(&endpoint, &["path", "--json"]), "").stdout;
    assert!(told.starts_with('{'), "{told}");
    assert!(!include_str!("help.txt").contains("--json"));
}
