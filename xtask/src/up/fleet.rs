//! What a starting fleet is asked.

use crate::up::folder::{StateFolder, write_private};
use crate::up::secrets::{api_token_file, join_token_file};
use crate::up::settings::Settings;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::Instant;

/// Boxes that may join a development fleet with its one token: enough for every simulation.
const JOIN_TOKEN_USES: &str = "100000";

/// How long the join token is valid, as fleetctl reads it; the longest there is.
const JOIN_TOKEN_LIFETIME: &str = "365d";

/// A join token older than this is made anew.
const JOIN_TOKEN_RENEWAL: Duration = Duration::from_secs(360 * 24 * 3600);

/// How long one probe may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// How often the boxes are counted while they come online.
const COUNT_PAUSE: Duration = Duration::from_millis(300);

/// Whether the control plane says that it is ready.
pub(crate) async fn is_ready(settings: &Settings) -> bool {
    let asked = tokio::time::timeout(PROBE_PATIENCE, http_status(settings, "/readyz")).await;
    matches!(asked, Ok(Ok(200)))
}

async fn http_status(settings: &Settings, path: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect(settings.internal).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", settings.internal);
    stream.write_all(request.as_bytes()).await?;
    // "HTTP/1.1 200" is all there is to know.
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let text = std::str::from_utf8(&start)?;
    text.rsplit(' ').next().context("no status")?.parse().context("no status")
}

/// Makes the token that the boxes join with, once.
pub(crate) async fn join_token(folder: &StateFolder, settings: &Settings) -> anyhow::Result<()> {
    let path = join_token_file(folder);
    let made_at = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
    let age = made_at.and_then(|made_at| SystemTime::now().duration_since(made_at).ok());
    if age.is_some_and(|age| age < JOIN_TOKEN_RENEWAL) {
        return Ok(());
    }
    let mut arguments = vec!["join-token", "create", "--description", "cargo xtask up", "-o", "json"];
    arguments.extend(["--uses", JOIN_TOKEN_USES, "--lifetime", JOIN_TOKEN_LIFETIME]);
    let made = fleetctl(folder, settings, &arguments).await?;
    let secret = made.get("secret").and_then(Value::as_str).context("fleetctl printed no join token")?;
    write_private(&path, &format!("{secret}\n"))
}

/// Counts the boxes that are online until all are, or `patience` has run out.
pub(crate) async fn wait_online(
    folder: &StateFolder,
    settings: &Settings,
    patience: Duration,
    mut progress: impl FnMut(usize),
) -> anyhow::Result<usize> {
    let wanted = usize::try_from(settings.devices)? + 1;
    let deadline = Instant::now() + patience;
    let mut last = None;
    loop {
        let devices = devices(folder, settings).await?;
        let online = devices.iter().filter(|device| is_online(device)).count();
        // Those that somebody revoked do not come.
        let revoked = devices.iter().filter(|device| text(device, "/revoked_at").is_some()).count();
        if online + revoked >= wanted || Instant::now() >= deadline {
            return Ok(online);
        }
        if last != Some(online) {
            progress(online);
            last = Some(online);
        }
        tokio::time::sleep(COUNT_PAUSE).await;
    }
}

/// How many boxes are online.
pub(crate) async fn count_online(folder: &StateFolder, settings: &Settings) -> anyhow::Result<usize> {
    Ok(devices(folder, settings).await?.iter().filter(|device| is_online(device)).count())
}

fn is_online(device: &Value) -> bool {
    text(device, "/link/state") == Some("online")
}

/// Waits until every box has reported since it came online, at most for `patience`: a fleet without figures runs too.
pub(crate) async fn wait_reported(folder: &StateFolder, settings: &Settings, patience: Duration) -> anyhow::Result<()> {
    let wanted = usize::try_from(settings.devices)? + 1;
    let has_reported = |device: &&Value| {
        matches!(text(device, "/health/verdict"), Some("ok" | "degraded" | "critical"))
            || text(device, "/revoked_at").is_some()
    };
    let deadline = Instant::now() + patience;
    while devices(folder, settings).await?.iter().filter(has_reported).count() < wanted && Instant::now() < deadline {
        tokio::time::sleep(COUNT_PAUSE).await;
    }
    Ok(())
}

/// All boxes, as fleetctl tells them.
async fn devices(folder: &StateFolder, settings: &Settings) -> anyhow::Result<Vec<Value>> {
    let mut list = fleetctl(folder, settings, &["get", "devices", "-o", "json"]).await?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!("fleetctl printed no list of devices"),
    }
}

fn text<'a>(device: &'a Value, pointer: &str) -> Option<&'a str> {
    device.pointer(pointer).and_then(Value::as_str)
}

/// Runs fleetctl against this fleet and reads the JSON it prints.
async fn fleetctl(folder: &StateFolder, settings: &Settings, arguments: &[&str]) -> anyhow::Result<Value> {
    let token = std::fs::read_to_string(api_token_file(folder)).context("the fleet's token cannot be read")?;
    let mut command = Command::new(folder.program("fleetctl"));
    command
        .args(arguments)
        .env("FLEETCTL_SERVER", settings.public_url())
        .env("FLEETCTL_TOKEN", token.trim())
        // The person's own contexts have no say here.
        .env("FLEETCTL_CONFIG", folder.path("run/fleetctl.toml"))
        .kill_on_drop(true);
    if settings.has_tls() {
        command.env("FLEETCTL_CA", folder.path("tls/ca.pem"));
    }
    let output = command.output().await.context("cannot start fleetctl")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "fleetctl {} failed ({}): {}", arguments.join(" "), output.status, error.trim());
    serde_json::from_slice(&output.stdout).context("fleetctl printed no JSON")
}
