//! `cargo xtask fuzz`: lets libFuzzer run the targets of `kaliun-fuzz`, guided by what the compiler says was reached.
//!
//! The stable compiler knows how to count what was reached, by a pass that it is told to run; what only other compilers have, the address
//! sanitizer, is left out, for there is no unsafe code of ours that it could watch. Everything under the targets is built once more, into a
//! folder of its own, with checks for overflow.

use crate::machine::{self, Need};
use crate::talk::{progress, say};
use crate::workspace;
use anyhow::{Context as _, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What libFuzzer needs of the compiler: a counter at each edge, where they are, and what is compared with what.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0";
/// One input may take this long, in seconds: a hundred times what the slowest needs.
const INPUT_TIMEOUT_S: u32 = 5;

/// Which target, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The target; without one, all of them one after another. `--list` names them.
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Names the targets and ends.
    #[arg(long)]
    list: bool,
}

/// Builds and runs. Fails with the first input that is found.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let corpus = workspace::root()?.join("xtask/fuzz/corpus");
    let targets = targets(&corpus)?;
    if arguments.list {
        targets.iter().for_each(|target| say(target));
        return Ok(());
    }
    let chosen: Vec<&String> = match &arguments.target {
        None => targets.iter().collect(),
        Some(name) => match targets.iter().find(|target| *target == name) {
            Some(target) => vec![target],
            None => bail!("there is no target {name}; there are {}", targets.join(", ")),
        },
    };
    ensure!(arguments.seconds > 0, "--seconds must be 1 or more: 0 would never end");
    machine::provide(&[Need::Compiler])?;
    let folder = workspace::target_folder()?.join("fuzz");
    let program = build(&folder)?;
    for target in chosen {
        fuzz(&program, target, &corpus.join(target), &folder, arguments.seconds)?;
    }
    Ok(())
}

/// The folders of the corpus; a test of kaliun-fuzz sees to it that there is one for each target.
fn targets(corpus: &Path) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(corpus).with_context(|| format!("cannot read {}", corpus.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "known" {
            targets.push(name);
        }
    }
    targets.sort();
    Ok(targets)
}

fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    progress("building the targets; the first time takes minutes");
    // Named, so that build scripts and macros are built as ever.
    let platform = platform()?;
    let mut build = workspace::cargo()?;
    build
        .args(["build", "--locked", "--profile", "fuzz", "--package", "kaliun-fuzz", "--bin", "kaliun-fuzz"])
        .args(["--features", "libfuzzer", "--target", &platform, "--target-dir"])
        .arg(folder)
        .env("RUSTFLAGS", COVERAGE);
    let status = build.status().context("cannot start cargo")?;
    ensure!(status.success(), "the targets do not build ({status})");
    Ok(folder.join(platform).join("fuzz").join("kaliun-fuzz"))
}

/// What the compiler calls this machine.
fn platform() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("cannot start rustc")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(|host| host.trim().to_owned()).context("rustc does not say what machine this is")
}

fn fuzz(program: &Path, target: &str, seeds: &Path, folder: &Path, seconds: u32) -> anyhow::Result<()> {
    // What it finds worth keeping stays between runs; what is wrong goes beside it.
    let (kept, wrong) = (folder.join("corpus").join(target), folder.join("wrong").join(target));
    for folder in [&kept, &wrong] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    progress(&format!("{target}, {seconds} s"));
    let status = Command::new(program)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
        .arg(format!("-artifact_prefix={}/", wrong.display()))
        .args(["-verbosity=0", "-print_final_stats=1", "-rss_limit_mb=1024"])
        .args([&kept, seeds])
        .env("KALIUN_FUZZ_TARGET", target)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        status.success(),
        "{target} found something wrong, said above. The input is in {}; copy it to {} under a name that says what it is, and the tests \
         hold it from then on",
        wrong.display(),
        seeds.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_of_the_corpus_is_a_target() {
        let targets = targets(&workspace::root().unwrap().join("xtask/fuzz/corpus")).unwrap();
        assert!(targets.contains(&"proxy_header".to_owned()), "{targets:?}");
        assert!(!targets.contains(&"known".to_owned()));
    }
}
