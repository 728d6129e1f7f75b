//! Each target over its corpus, and over inputs made from it: the same each time, for a moment.

use anyhow::{Context as _, Result, ensure};
use kaliun_fuzz::mutation::Mutator;
use kaliun_fuzz::{Outcome, TARGETS, Target, corpus, find};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Made inputs for each target. A development build needs a second or two for each.
const INPUTS: usize = 10_000;

/// Runs a target; a panic is told with the input.
fn run(target: &Target, name: &str, input: &[u8]) -> Result<Outcome> {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    outcome.ok().with_context(|| {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}, input {name}: what is wrong stands above; keep this in corpus/{}: {hex}", target.name, target.name)
    })
}

/// Runs one for a moment, and sees to it that its corpus reaches both of what it can say.
fn prove(name: &str) -> Result<()> {
    let target = find(name).context("no such target")?;
    let seeds = corpus::inputs(name)?;
    let mut outcomes = Vec::new();
    for (seed, input) in &seeds {
        ensure!(input.len() <= target.input_max_bytes, "{seed} is longer than what {name} is given");
        outcomes.push(run(target, seed, input)?);
    }
    ensure!(outcomes.contains(&Outcome::Taken), "no input in the corpus of {name} is taken: it goes no deeper");
    ensure!(outcomes.contains(&Outcome::Refused), "no input in the corpus of {name} is refused");
    let inputs: Vec<Vec<u8>> = seeds.into_iter().map(|(_name, input)| input).collect();
    let mut mutator = Mutator::new(1);
    for number in 0..INPUTS {
        let mut input = mutator.next(&inputs);
        input.truncate(target.input_max_bytes);
        run(target, &format!("number {number}"), &input)?;
    }
    Ok(())
}

macro_rules! targets {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() -> Result<()> {
            prove(stringify!($name))
        })*
    };
}

targets! {
    proxy_header forwarded_for credential strangers_call certificate certificate_request proof enrollment recovery
    hello link_items trust_chain join_token claim_code check_characters device_name page_token
}

#[test]
fn every_target_is_tested_and_every_folder_has_a_target() -> Result<()> {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let tested: BTreeSet<String> = TESTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(targets, tested);
    let mut folders = BTreeSet::new();
    for entry in std::fs::read_dir(corpus::folder())? {
        folders.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    folders.remove("known");
    assert_eq!(targets, folders);
    Ok(())
}

/// A target that a wrong parser passes would be of no use: here a wrong answer is seen.
#[test]
fn an_input_that_panics_is_told_whole() {
    let target = Target { name: "broken", what: "", input_max_bytes: 8, run: |input| panic!("{input:?}") };
    let told = run(&target, "seed", &[0xab, 0xcd]).unwrap_err().to_string();
    assert!(told.contains("broken") && told.contains("abcd"), "{told}");
}
