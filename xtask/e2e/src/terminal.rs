//! A program in a terminal of its own, as a person starts it.

use crate::process::tail;
use crate::programs::installed;
use anyhow::{Context as _, ensure};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// What a terminal sends for Ctrl-C. Its line discipline makes an interrupt of it for every process in the foreground.
const CTRL_C: u8 = 0x03;

/// A terminal. Dropping it closes it, which hangs up on the program.
#[derive(Debug)]
pub struct Terminal {
    /// `script`, which owns the terminal and passes on what is typed and what is shown.
    child: Child,
    keys: ChildStdin,
    screen: PathBuf,
}

impl Terminal {
    /// Runs a program; what it shows goes to the file `screen` too.
    ///
    /// # Errors
    /// `script` is not installed or does not start.
    pub fn run(program: &Path, arguments: &[String], screen: PathBuf) -> anyhow::Result<Self> {
        let program = program.to_str().context("the program's path is not text")?;
        let words: Vec<String> =
            std::iter::once(program).chain(arguments.iter().map(String::as_str)).map(quote).collect();
        let output = File::create(&screen).with_context(|| format!("cannot write {}", screen.display()))?;
        let mut child = Command::new(installed("script")?)
            .args(["--quiet", "--return", "--command", &format!("exec {}", words.join(" ")), "/dev/null"])
            // The one that reads the command; a person's own may read it otherwise.
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(output.try_clone().context("cannot open a file twice")?)
            .stderr(output)
            .spawn()
            .context("cannot start script")?;
        let keys = child.stdin.take().context("script takes no keys")?;
        Ok(Self { child, keys, screen })
    }

    /// The process id of what runs the terminal; the program is below it.
    ///
    /// # Errors
    /// The number is none that a process can have.
    pub fn pid(&self) -> anyhow::Result<i32> {
        i32::try_from(self.child.id()).context("a process number fits")
    }

    /// Presses Ctrl-C.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn press_ctrl_c(&mut self) -> anyhow::Result<()> {
        self.keys.write_all(&[CTRL_C]).and_then(|()| self.keys.flush()).context("the terminal takes no keys")
    }

    /// Waits for a moment's look: how the program ended, if it has.
    ///
    /// # Errors
    /// The process cannot be looked at.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot look at the terminal")
    }

    /// Everything that was shown.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.screen).unwrap_or_default()).into_owned()
    }

    /// Proves that the program still runs.
    ///
    /// # Errors
    /// It has ended; with the last lines that it showed.
    pub fn ensure_runs(&mut self) -> anyhow::Result<()> {
        let ended = self.ended()?;
        ensure!(ended.is_none(), "it ended ({ended:?}):\n{}", tail(&self.screen));
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It fails when the terminal is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TestFolder;
    use crate::wait::{PATIENCE, until};

    #[tokio::test]
    async fn ctrl_c_interrupts_what_runs_in_it() -> anyhow::Result<()> {
        let folder = TestFolder::make()?;
        let script =
            "trap 'echo \"it'\\''s over\"; exit 7' INT; test -t 0 && echo ready; while :; do read -r line; done";
        let mut terminal =
            Terminal::run(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()], folder.join("screen"))?;
        until("it is ready", PATIENCE, || {
            let ready = terminal.ensure_runs().map(|()| terminal.shown().contains("ready").then_some(()));
            async move { ready }
        })
        .await?;
        terminal.press_ctrl_c()?;
        let ended = until("it ends", PATIENCE, || {
            let ended = terminal.ended();
            async move { ended }
        });
        assert_eq!(ended.await?.code(), Some(7));
        assert!(terminal.shown().contains("it's over"), "{}", terminal.shown());
        Ok(())
    }
}
