//! The provider's program: installed once for each user, out of the registry, in the versions that the lock file names.

use super::Wanted;
use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

const PACKAGE: &str = include_str!("package.json");
const LOCK: &str = include_str!("package-lock.json");
const PROGRAM: &str = include_str!("provider.mjs");

/// A running provider. It ends with the test, however that ends: its standard input closes then.
pub(super) struct Program {
    address: SocketAddr,
    _child: Child,
    _stdin: ChildStdin,
}

impl Program {
    pub(super) async fn start(issuer: &str, wanted: &Wanted) -> Result<Self> {
        let folder = tokio::task::spawn_blocking(install).await??;
        let settings = json!({
            "issuer": issuer,
            "alg": wanted.alg,
            "accounts": wanted.accounts,
            "inToken": wanted.in_token,
        });
        let mut child = Command::new("node")
            .arg(folder.join("provider.mjs"))
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be started")?;
        let stdin = child.stdin.take().context("it has a standard input")?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let said = BufReader::new(stdout).lines().next_line().await?.context("the provider ended")?;
        let port = said.trim().parse().with_context(|| format!("the provider says {said:?}"))?;
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), _child: child, _stdin: stdin })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The folder with the program, made when there is none. Tests that need it at once wait for the first.
fn install() -> Result<PathBuf> {
    let hash = digest(&SHA256, [LOCK, PROGRAM].concat().as_bytes());
    let name = format!("oidc-provider-{}", data_encoding::HEXLOWER.encode(hash.as_ref().get(..8).context("a hash")?));
    let place = cache()?;
    let folder = place.join(&name);
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let lock = File::create(place.join(format!("{name}.lock")))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if folder.exists() {
        return Ok(folder);
    }
    let new = place.join(format!("{name}.new"));
    // Half of one is left when an earlier test was ended meanwhile.
    let _ = std::fs::remove_dir_all(&new);
    fetch(&new)?;
    std::fs::rename(&new, &folder)?;
    Ok(folder)
}

fn fetch(folder: &Path) -> Result<()> {
    std::fs::create_dir(folder)?;
    for (name, text) in [("package.json", PACKAGE), ("package-lock.json", LOCK), ("provider.mjs", PROGRAM)] {
        std::fs::write(folder.join(name), text)?;
    }
    let npm = std::process::Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("npm cannot be started; `cargo xtask test` installs node and npm as root")?;
    ensure!(npm.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&npm.stderr));
    Ok(())
}

/// Where this user keeps what can be had again.
fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("kaliun-fleet"))
}
