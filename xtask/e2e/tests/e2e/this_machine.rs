//! This machine as a real box.

use anyhow::{Context as _, ensure};
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::Value;

/// The machine's memory in bytes, as the kernel says.
fn memory_total() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("the kernel says nothing of memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).context("no total")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().context("the total is no number")?;
    Ok(kilobytes * 1024.0)
}

#[tokio::test]
async fn it_reports_its_own_figures_and_keeps_its_identity() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(Shape { simulated: 0, sample_interval_ms: 1_000 }).await?;
    fleet.start_edge()?;
    fleet.online(1).await?;
    let sampled = || async {
        let devices = fleet.devices().await?;
        let device = devices.first().context("there is no box")?;
        let values = device.pointer("/last_sample/values").filter(|values| values.is_object());
        Ok(values.map(|_| device.clone()))
    };
    let device = until("the first sample is there", PATIENCE, sampled).await?;
    let value = |name: &str| device.pointer(&format!("/last_sample/values/{name}")).and_then(Value::as_f64);
    assert_eq!(value("memory_total_bytes"), Some(memory_total()?));
    ensure!(value("cpu_busy_ratio").is_some_and(|ratio| (0.0..=1.0).contains(&ratio)), "{device}");
    ensure!(value("disk_available_bytes").is_some_and(|bytes| bytes > 0.0), "{device}");
    let id = device.get("id").cloned().context("the box has no id")?;

    let edge = fleet.edge.as_mut().context("the agent runs")?;
    edge.kill_hard()?;
    edge.start_again()?;
    let again = fleet.online(1).await?;
    let ids: Vec<_> = again.iter().filter_map(|device| device.get("id")).collect();
    assert_eq!(ids, [&id], "the same box came back");
    Ok(())
}
