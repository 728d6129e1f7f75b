//! The three servers, each with its own ports and its own configuration.

use crate::certificates::PeerFiles;
use crate::process::Server;
use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Where the control plane listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ControlPlaneAddresses {
    pub(crate) device: SocketAddr,
    pub(crate) public: SocketAddr,
    internal: SocketAddr,
}

impl ControlPlaneAddresses {
    /// Addresses that are free now.
    pub(crate) fn free() -> anyhow::Result<Self> {
        let [device, public, internal] = free()?;
        Ok(Self { device, public, internal })
    }
}

/// The administrator's token of the control plane whose state is in this folder; made the first time.
pub(crate) fn api_token(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join("api-token");
    if let Ok(token) = std::fs::read_to_string(&file) {
        return Ok(token);
    }
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok().context("no randomness")?;
    let token = format!("kat1.{}", BASE64URL_NOPAD.encode(&bytes));
    std::fs::write(&file, &token).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(token)
}

/// Starts the control plane with a private Postgres.
pub(crate) async fn control_plane(
    program: &Path,
    folder: &Path,
    addresses: ControlPlaneAddresses,
) -> anyhow::Result<Server> {
    start(program, folder, "control-plane", addresses, &[]).await
}

/// Starts one of several replicas of the control plane on a database that is there already.
pub(crate) async fn replica(
    program: &Path,
    folder: &Path,
    name: &str,
    addresses: ControlPlaneAddresses,
    database_url: &str,
) -> anyhow::Result<Server> {
    let key_file = folder.join("authority.key").into_os_string();
    let more = [
        ("--replica-name", name.into()),
        ("--database-url", database_url.into()),
        // The same for all replicas.
        ("--authority-key-file", key_file),
    ];
    start(program, folder, name, addresses, &more).await
}

async fn start(
    program: &Path,
    folder: &Path,
    name: &str,
    addresses: ControlPlaneAddresses,
    more: &[(&str, OsString)],
) -> anyhow::Result<Server> {
    let mut arguments: Vec<OsString> = vec!["serve".into()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--state-dir", folder.join(name).into());
    option("--device-listen", addresses.device.to_string().into());
    option("--public-listen", addresses.public.to_string().into());
    option("--internal-listen", addresses.internal.to_string().into());
    option("--first-api-token-file", folder.join("api-token").into());
    // As the peers: they say nothing about each connection either.
    option("--log", "warn".into());
    for (name, value) in more {
        option(name, value.clone());
    }
    let log = folder.join(format!("{name}.log"));
    Server::start("the control plane", program, &arguments, addresses.device, log).await
}

/// Starts the bare tonic server.
pub(crate) async fn bare_tonic(folder: &Path, files: &PeerFiles) -> anyhow::Result<(Server, SocketAddr)> {
    let [listen] = free()?;
    let program = std::env::current_exe().context("this program cannot be found")?;
    let mut arguments: Vec<OsString> = vec!["echo-server".into()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--listen", listen.to_string().into());
    option("--certificate", files.certificate.clone().into());
    option("--key", files.key.clone().into());
    option("--client-authority", files.client_authority.clone().into());
    let log = folder.join("bare-tonic.log");
    Ok((Server::start("the bare tonic server", &program, &arguments, listen, log).await?, listen))
}

/// Starts mosquitto.
pub(crate) async fn mosquitto(folder: &Path, files: &PeerFiles) -> anyhow::Result<(Server, SocketAddr)> {
    let program = mosquitto_program()?;
    let [listen] = free()?;
    let mut config = format!(
        "listener {} {}\nallow_anonymous true\npersistence false\nlog_type error\nmax_connections -1\n\
         certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\ntls_version tlsv1.3\nset_tcp_nodelay true\n",
        listen.port(),
        listen.ip(),
        files.certificate.display(),
        files.key.display(),
        files.client_authority.display(),
    );
    if rustix::process::geteuid().is_root() {
        // It would become another user, who may not read the files.
        config.push_str("user root\n");
    }
    let file = folder.join("mosquitto.conf");
    std::fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
    let arguments = ["-c".into(), file.into()];
    let log = folder.join("mosquitto.log");
    Ok((Server::start("mosquitto", &program, &arguments, listen, log).await?, listen))
}

/// Where Debian's package puts it, and where one that was built by hand is.
fn mosquitto_program() -> anyhow::Result<PathBuf> {
    let known = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].map(PathBuf::from);
    known
        .into_iter()
        .find(|path| path.exists())
        .context("mosquitto is missing; `cargo xtask bench` installs it as root")
}

/// Addresses on loopback that were free a moment ago.
fn free<const COUNT: usize>() -> anyhow::Result<[SocketAddr; COUNT]> {
    // All are held until the last is found, so that they differ.
    let listeners: Vec<TcpListener> =
        (0..COUNT).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    addresses.try_into().ok().context("no free port")
}
