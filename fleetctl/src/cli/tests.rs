//! What holds for all of the command line.

use super::*;
use clap::CommandFactory as _;
use clap::error::ErrorKind;

/// Every command that has none below it: its words, and what it takes.
fn leaves() -> Vec<(Vec<String>, clap::Command)> {
    let (mut open, mut leaves) = (vec![(vec!["fleetctl".to_owned()], Cli::command())], Vec::new());
    while let Some((words, command)) = open.pop() {
        if !command.has_subcommands() {
            leaves.push((words, command));
            continue;
        }
        for below in command.get_subcommands() {
            let words = words.iter().cloned().chain([below.get_name().to_owned()]).collect();
            open.push((words, below.clone()));
        }
    }
    leaves
}

fn takes(command: &clap::Command, option: &str) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some(option))
}

/// Whether the value of an option is what is complained of. What else is missing is complained of after the values.
fn refuses(words: &[String], option: &str, value: &str) -> bool {
    let line = words.iter().map(String::as_str).chain([option, value]);
    Cli::command().try_get_matches_from(line).is_err_and(|error| error.kind() == ErrorKind::ValueValidation)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_list_can_be_cut_and_gone_on_with() {
    let lists: Vec<_> = leaves().into_iter().filter(|(_, command)| takes(command, "limit")).collect();
    assert_eq!(
        lists.len(),
        12,
        "get, ca stragglers, audit log, and those of enrollments, tokens, accesses, homes and organizations"
    );
    for (words, command) in lists {
        assert!(refuses(&words, "--limit", "0"), "{words:?} takes an empty list for all there is");
        assert!(!refuses(&words, "--limit", "1"), "{words:?}");
        assert!(takes(&command, "page-token"), "{words:?} cannot go on with its next_page_token");
    }
}

#[test]
fn every_command_says_in_a_document_what_it_did() {
    // What these write is for shells and for `man`.
    const WITHOUT: [&str; 2] = ["completion", "man"];
    for (words, command) in leaves() {
        let name = command.get_name();
        assert_eq!(takes(&command, "output"), !WITHOUT.contains(&name), "{words:?}");
    }
}
