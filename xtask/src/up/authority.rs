//! The certificate of a dashboard that is not on loopback.

use crate::talk::progress;
use crate::up::address::reachable;
use crate::up::folder::StateFolder;
use crate::up::settings::Settings;
use crate::workspace;
use anyhow::{Context as _, ensure};
use std::process::Command;

/// Makes or renews the certificate, from a development authority that is made at the first time.
pub(crate) fn make_certificate(folder: &StateFolder, settings: &Settings) -> anyhow::Result<()> {
    progress("making a certificate for the dashboard");
    let mut command = Command::new(workspace::tool("kaliun-dev-ca")?);
    command.arg("--folder").arg(folder.path("tls")).args(["--name", "localhost", "--name", "127.0.0.1"]);
    command.arg("--name").arg(reachable(settings.public).ip().to_string());
    let status = command.status().context("cannot start kaliun-dev-ca")?;
    ensure!(status.success(), "the certificate could not be made ({status})");
    Ok(())
}

/// What someone who opens the dashboard on another device has to know.
pub(crate) fn explanation(folder: &StateFolder) -> String {
    format!(
        "A phone or another computer will warn that this connection is not private, for the certificate comes from a
  development authority that only this fleet knows. Either accept the warning (Advanced, then Proceed), or bring
  {} to the device and trust it there:
    iPhone   open the file, Settings > Profile downloaded > Install, then General > About > Certificate Trust
    Android  Settings > Security > More > Install a certificate > CA certificate",
        folder.path("tls/ca.pem").display()
    )
}
