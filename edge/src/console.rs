//! What a person in front of the box sees: while somebody has to say yes the code, its QR, and the key's fingerprint; later why the box
//! is not connected, where somebody has to act, and that it is over.
//!
//! A code and its check characters prove that somebody stands there. So they go to a terminal alone: what a service writes to its
//! standard output is kept in a journal and read from afar.

mod teller;
mod text;

use crate::agent_state::AgentState;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use teller::Teller;
use tokio::sync::watch;

/// Where the box's screen is.
#[derive(Debug)]
pub enum Screen {
    /// Standard output is a terminal.
    Terminal,
    /// A terminal's device that the configuration names.
    Device(File),
    /// Nobody stands before standard output: what goes there holds no secrets.
    Unseen,
}

impl Screen {
    /// The device that the configuration names, or else standard output.
    ///
    /// # Errors
    /// The device cannot be opened for writing.
    pub fn open(device: Option<&Path>) -> io::Result<Self> {
        match device {
            // It must not become the terminal whose Ctrl-C ends this process.
            Some(path) => {
                let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOCTTY | OFlags::CLOEXEC;
                Ok(Self::Device(File::from(rustix::fs::open(path, flags, Mode::empty())?)))
            }
            None if io::stdout().is_terminal() => Ok(Self::Terminal),
            None => Ok(Self::Unseen),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Terminal | Self::Unseen => write_out(text),
            Self::Device(device) => device.write_all(text.as_bytes()),
        }
    }

    /// Whether somebody stands before it.
    fn is_seen(&self) -> bool {
        match self {
            Self::Terminal | Self::Device(_) => true,
            Self::Unseen => false,
        }
    }
}

/// Shows what is new until the agent ends.
pub async fn show(mut on: Screen, mut state: watch::Receiver<AgentState>) {
    let mut teller = Teller::new(on.is_seen());
    loop {
        let text = teller.hear(&state.borrow_and_update());
        if let Some(text) = text {
            // A closed terminal is no reason to end.
            let _unseen = on.write(&text);
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Writes to standard output, flushed.
///
/// # Errors
/// Nobody reads there any more.
pub fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_state::{EnrollmentState, LinkState};
    use std::time::Duration;

    #[test]
    fn a_device_is_a_screen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tty");
        assert!(Screen::open(Some(&path)).is_err(), "a device is not made");
        std::fs::write(&path, "before\n").unwrap();
        let mut device = Screen::open(Some(&path)).unwrap();
        device.write("after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
    }

    #[tokio::test]
    async fn what_is_new_goes_to_the_screen_as_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tty");
        std::fs::write(&path, "").unwrap();
        let seen = || std::fs::read_to_string(&path).unwrap();
        let enrolled = EnrollmentState::Enrolled {
            device_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned(),
            name: "cellar".to_owned(),
            certificate_begins_at_ms: 0,
            certificate_expires_at_ms: 0,
        };
        let (sender, receiver) = watch::channel(AgentState { enrollment: enrolled, ..AgentState::default() });
        let shows = async |text: &str| {
            let shown = async {
                while !seen().ends_with(text) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), shown).await.unwrap_or_else(|_| panic!("{text}: {}", seen()));
        };
        let told = async {
            shows("Enrolled as cellar (018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11).\n").await;
            let (reason, message) = ("peer.device_revoked".to_owned(), "Somebody revoked it.".to_owned());
            sender.send_modify(|state| {
                state.link = LinkState::Stopped { reason, message, since_ms: 0, next_try_at_ms: Some(1) };
            });
            shows("The box looks again within an hour.\n\n").await;
            sender.send_modify(|state| state.link = LinkState::Online { epoch: 1, since_ms: 0 });
            shows("connected again.\n").await;
            drop(sender);
        };
        tokio::join!(show(Screen::open(Some(&path)).unwrap(), receiver), told);
    }
}
