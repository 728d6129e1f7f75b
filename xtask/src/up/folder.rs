//! The state folder of a fleet: every path in it.
//!
//! | name | what |
//! | --- | --- |
//! | `env` | server, token and sign-in, for a shell to read |
//! | `settings.json` | addresses and counts, so that the next start is the same fleet |
//! | `secrets/` | what the first administrator and token are made of, and the join token of the boxes |
//! | `tls/` | development authority and certificate, when the dashboard is not on loopback |
//! | `control-plane/`, `edge/`, `sim/` | the state folders of the parts |
//! | `mails/` | the newest mails that the control plane sent, as files |
//! | `logs/` | what the parts say, at most twice 8 MiB each |
//! | `bin/` | links to the programs |
//! | `run/` | who runs, and how it is doing |

use anyhow::Context as _;
use kaliun_mail_sink::mailbox::Mailbox;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A fleet's state folder.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// The folder that was asked for, or the usual one below the user's state folder.
    pub(crate) fn choose(asked: Option<&Path>) -> anyhow::Result<Self> {
        let root = match asked {
            Some(path) => std::path::absolute(path).context("the state folder has no path")?,
            None => usual()?,
        };
        Ok(Self { root })
    }

    /// Makes what is missing of it, for nobody but its owner to read.
    pub(crate) fn make(&self) -> anyhow::Result<()> {
        let parts = ["", "secrets", "tls", "control-plane", "edge", "sim", "mails", "logs", "bin", "run"];
        for folder in parts.map(|name| self.root.join(name)) {
            if folder.is_dir() {
                continue;
            }
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(())
    }

    pub(crate) fn exists(&self) -> bool {
        self.root.join("settings.json").exists()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The mails that the control plane sent.
    pub(crate) fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.root.join("mails"))
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }

    pub(crate) fn pid_file(&self, part: &str) -> PathBuf {
        self.root.join("run").join(format!("{part}.pid"))
    }

    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.root.join("logs").join(format!("{part}.log"))
    }

    /// Makes the links in `bin/`, replacing those of an earlier build.
    pub(crate) fn link_programs(&self, built: &Path, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let (link, new) = (self.program(name), self.path("bin").join(format!(".{name}.new")));
            let _ = std::fs::remove_file(&new);
            std::os::unix::fs::symlink(built.join(name), &new)
                .and_then(|()| std::fs::rename(&new, &link))
                .with_context(|| format!("cannot make the link {}", link.display()))?;
        }
        Ok(())
    }
}

/// Writes a file whole or not at all, for its owner alone.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn usual() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("kaliun-fleet")).context("neither XDG_STATE_HOME nor HOME is set; give --state-dir")
}
