//! The programs of a fleet and how each is started.

use crate::up::folder::StateFolder;
use crate::up::secrets::{ADMIN_EMAIL, api_token_file, join_token_file, password_file};
use crate::up::settings::Settings;
use anyhow::Context as _;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Largest log of a part, in bytes; one older file of the same size is kept.
const MAX_LOG: u64 = 8 << 20;

/// Whom the fleet's mails come from.
const MAIL_FROM: &str = "Kaliun Fleet <fleet@fleet.localhost>";

/// One program of the fleet.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The name of its log and its pid file.
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
}

/// The names of all parts, in the order in which they are stopped.
pub(crate) const NAMES: [&str; 3] = ["sim", "edge", "control-plane"];

impl Part {
    /// The control plane.
    pub(crate) fn control_plane(folder: &StateFolder, settings: &Settings) -> Self {
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        option("--state-dir", folder.path("control-plane").into());
        option("--device-listen", settings.device.to_string().into());
        option("--device-url", settings.device_url().into());
        option("--public-listen", settings.public.to_string().into());
        option("--public-url", settings.public_url().into());
        option("--internal-listen", settings.internal.to_string().into());
        option("--smtp-url", format!("smtp://{}", settings.mail).into());
        option("--mail-from", MAIL_FROM.into());
        option("--first-admin-email", ADMIN_EMAIL.into());
        option("--first-admin-password-file", password_file(folder).into());
        option("--first-api-token-file", api_token_file(folder).into());
        if settings.has_tls() {
            option("--public-tls-cert", folder.path("tls/cert.pem").into());
            option("--public-tls-key", folder.path("tls/key.pem").into());
        }
        Self::new(folder, "control-plane", "control-plane", arguments)
    }

    /// This machine, as a box.
    pub(crate) fn edge(folder: &StateFolder, settings: &Settings) -> Self {
        let arguments = vec!["run".into()];
        Self::new(folder, "edge", "kaliun-edge", agent_arguments(arguments, folder, settings, "edge"))
    }

    /// The simulated boxes.
    pub(crate) fn sim(folder: &StateFolder, settings: &Settings) -> Self {
        let arguments = vec!["--devices".into(), settings.devices.to_string().into()];
        Self::new(folder, "sim", "kaliun-edge-sim", agent_arguments(arguments, folder, settings, "sim"))
    }

    fn new(folder: &StateFolder, name: &'static str, program: &str, arguments: Vec<OsString>) -> Self {
        Self { name, program: folder.program(program), arguments, log: folder.log(name) }
    }

    /// A part for tests: any program.
    #[cfg(test)]
    pub(crate) fn for_test(folder: &StateFolder, name: &'static str, program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        Self { name, program: program.into(), arguments, log: folder.log(name) }
    }

    /// The command, with what it says going to its log.
    pub(crate) fn command(&self) -> anyhow::Result<Command> {
        let log = self.open_log().with_context(|| format!("cannot open {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().context("cannot open a log twice")?).stderr(log);
        Ok(command)
    }

    fn open_log(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log)
    }

    /// Moves a log that grew too large aside. The part keeps its open file, so the content is copied and cut.
    pub(crate) fn bound_log(&self) -> std::io::Result<()> {
        match std::fs::metadata(&self.log) {
            Ok(metadata) if metadata.len() > MAX_LOG => {}
            _ => return Ok(()),
        }
        std::fs::copy(&self.log, self.log.with_extension("log.1"))?;
        OpenOptions::new().write(true).open(&self.log)?.set_len(0)
    }

    /// The last lines of the log, for an error message.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }
}

fn agent_arguments(
    mut arguments: Vec<OsString>,
    folder: &StateFolder,
    settings: &Settings,
    state: &str,
) -> Vec<OsString> {
    arguments.extend(["--state-dir".into(), folder.path(state).into()]);
    arguments.extend(["--server".into(), settings.device_url().into()]);
    arguments.extend(["--join-token-file".into(), join_token_file(folder).into()]);
    arguments
}
