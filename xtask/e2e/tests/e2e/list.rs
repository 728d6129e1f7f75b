//! The list of boxes that a tab shows, as tests look at it and change it.

use anyhow::{Context as _, ensure};
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::Fleet;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a live list may take to show a change before it counts as not live. A page that is not live never shows it.
pub(crate) const LIVE_PATIENCE: Duration = Duration::from_secs(20);

/// The names of all boxes.
pub(crate) async fn names(fleet: &Fleet) -> anyhow::Result<Vec<String>> {
    let devices = fleet.devices().await?;
    let name = |device: &Value| device.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(devices.iter().filter_map(name).collect())
}

/// Gives the first box another name.
pub(crate) async fn rename_one(fleet: &Fleet, new_name: &str) -> anyhow::Result<()> {
    let name = names(fleet).await?.into_iter().next().context("there is no box")?;
    fleet.fleetctl(&["device", "rename", &format!("device/{name}"), new_name, "-o", "json"]).await.map(|_| ())
}

/// The selector of a box's row.
pub(crate) fn row(name: &str) -> String {
    format!("li.row[data-device='{name}']")
}

/// Writes something on the page that a reload would wipe away.
pub(crate) async fn mark(browser: &Browser) -> anyhow::Result<()> {
    browser.run("window.markedByTest = 'kept'", &[]).await.map(|_| ())
}

/// Proves that the page is the one that was marked.
pub(crate) async fn ensure_not_reloaded(browser: &Browser) -> anyhow::Result<()> {
    ensure!(browser.run("return window.markedByTest", &[]).await? == json!("kept"), "the page was loaded again");
    Ok(())
}
