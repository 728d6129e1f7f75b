//! A process and everything that came of it.

use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;

/// A process, told from every other by its number and when it started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relative {
    /// The name of its program's file.
    pub program: String,
    /// Its number.
    pub pid: i32,
    /// Clock ticks after the machine started.
    started: u64,
}

impl Relative {
    /// Whether it still runs. One that has ended, and that only nobody has looked at, does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.started == self.started)
    }
}

/// A process and all below it, at this moment.
///
/// # Errors
/// The system tells nothing of its processes.
pub fn of(ancestor: i32) -> anyhow::Result<BTreeSet<Relative>> {
    let all: Vec<(i32, Stat)> = numbers()?.into_iter().filter_map(|pid| Some((pid, Stat::of(pid)?))).collect();
    let mut found = BTreeSet::new();
    let mut waiting = vec![ancestor];
    while let Some(next) = waiting.pop() {
        for (pid, stat) in &all {
            if *pid == next {
                let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
                let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.insert(Relative { program, pid: *pid, started: stat.started });
            }
            if stat.parent == next {
                waiting.push(*pid);
            }
        }
    }
    Ok(found)
}

/// The command lines of all processes that were told of a folder.
///
/// # Errors
/// The system tells nothing of its processes.
pub fn told_of(folder: &Path) -> anyhow::Result<Vec<String>> {
    let folder = folder.to_str().context("the folder's path is not text")?;
    let words = |pid: i32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    Ok(numbers()?.into_iter().map(words).filter(|words| words.contains(folder)).collect())
}

fn numbers() -> anyhow::Result<Vec<i32>> {
    let entries = std::fs::read_dir("/proc").context("the system tells nothing of its processes")?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// What the kernel says of a process that runs.
#[derive(Debug)]
struct Stat {
    parent: i32,
    started: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; what follows the last one is the fields from the third on.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [state, parent, ..] = fields.as_slice() else { return None };
        if *state == "Z" {
            return None;
        }
        Some(Self { parent: parent.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_found_until_it_ends() -> anyhow::Result<()> {
        let mut child = Command::new("sleep").arg("600").spawn()?;
        let own = i32::try_from(std::process::id())?;
        let pid = i32::try_from(child.id())?;
        let found = of(own)?;
        let relative = found.iter().find(|relative| relative.pid == pid).context("it is not found")?;
        assert!(relative.is_alive());
        child.kill()?;
        child.wait()?;
        assert!(!relative.is_alive());
        Ok(())
    }
}
