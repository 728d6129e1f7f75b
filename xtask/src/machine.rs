//! What the machine needs, and how it gets it.

use crate::talk::progress;
use anyhow::{Context as _, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something that must be on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A C compiler, for the cryptography.
    Compiler,
    /// Postgres' server programs.
    Postgres,
    /// A browser and its driver.
    Browser,
    /// mosquitto, a peer to be measured beside.
    Mosquitto,
    /// The program openssl, which judges our certificates.
    OpenSsl,
    /// Node and its package manager, for the identity provider that tests sign in with.
    Node,
}

impl Need {
    /// The packages of Debian that bring it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Compiler => &["build-essential"],
            Self::Postgres => &["postgresql"],
            Self::Browser => &["chromium", "chromium-driver"],
            Self::Mosquitto => &["mosquitto"],
            Self::OpenSsl => &["openssl"],
            Self::Node => &["nodejs", "npm"],
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Compiler => on_path("cc").is_some(),
            Self::Postgres => has_postgres(),
            Self::Browser => on_path("chromium").is_some() && on_path("chromedriver").is_some(),
            // Where the benchmark looks: servers of the system are not on everybody's path.
            Self::Mosquitto => {
                ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].map(Path::new).iter().any(|p| p.exists())
            }
            Self::OpenSsl => on_path("openssl").is_some(),
            Self::Node => on_path("node").is_some() && on_path("npm").is_some(),
        }
    }
}

/// Sees to it that everything needed is there: installed as root by apt, else asked for in one line.
pub(crate) fn provide(needs: &[Need]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !need.is_met()).flat_map(|need| need.packages()).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if on_path("apt-get").is_none() {
        bail!("this machine lacks what Debian calls {}; install it and run this again", missing.join(", "));
    }
    if !rustix::process::geteuid().is_root() {
        bail!("something is missing on this machine; run this line, then this command again:\n\n  sudo {line}\n");
    }
    progress(&format!("installing {}", missing.join(", ")));
    let _no_cluster = forbid_own_cluster(&missing)?;
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments)?;
    for need in needs {
        ensure!(need.is_met(), "{:?} were installed, but {need:?} is still not there", need.packages());
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Keeps packages from starting a service of their own.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .output()
        .context("cannot start apt-get")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "apt-get {} failed: {}", arguments.join(" "), error.trim());
    Ok(())
}

/// Keeps Debian's package from making and starting a Postgres of its own, which nothing here uses, on a machine that
/// has no settings for that yet. Only while the value lives.
fn forbid_own_cluster(packages: &[&str]) -> anyhow::Result<Option<OwnClusterForbidden>> {
    let path = PathBuf::from("/etc/postgresql-common/createcluster.d/kaliun-fleet.conf");
    if !packages.contains(&"postgresql") || path.exists() {
        return Ok(None);
    }
    let folder = path.parent().context("the settings have a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(&path, "create_main_cluster = false\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Some(OwnClusterForbidden { path }))
}

struct OwnClusterForbidden {
    path: PathBuf,
}

impl Drop for OwnClusterForbidden {
    fn drop(&mut self) {
        // Left behind, it would only surprise someone who installs another Postgres later.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn has_postgres() -> bool {
    let versioned = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versioned.map(|entry| entry.path().join("bin/initdb")).any(|path| path.is_file()) || on_path("initdb").is_some()
}

/// The path of a program, as a shell would find it.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
