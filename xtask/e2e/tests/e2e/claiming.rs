//! A box without a token, taken in by the code on its screen.

use anyhow::Context as _;
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::process::tail;
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::Value;

/// What stands behind a title on the box's screen.
async fn on_screen(fleet: &Fleet, title: &str) -> anyhow::Result<String> {
    let screen = fleet.screen("unclaimed");
    until(title, PATIENCE, || async {
        let text = tail(&screen);
        let found = text.lines().find_map(|line| Some(line.split_once(title)?.1.trim().to_owned()));
        Ok(found.filter(|found| !found.is_empty()))
    })
    .await
}

#[tokio::test]
async fn a_box_is_claimed_by_its_code() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 0, sample_interval_ms: 1_000 }).await?;
    let unclaimed = fleet.start_unclaimed("unclaimed")?;
    let code = on_screen(&fleet, "Claim code").await?;
    let fingerprint = on_screen(&fleet, "Key fingerprint").await?;
    assert!(fleet.devices().await?.is_empty(), "a box that waits belongs to nobody");

    let browser = Browser::start(fleet.folder().path(), 390, 844).await?;
    browser.open(&format!("{}/claim?code={code}", fleet.public_url())).await?;
    fleet.fill_sign_in(&browser, fleet.admin_password()).await?;
    browser.wait_for_text("the question", PATIENCE, |text| text.contains("Is this your box?")).await?;
    let shown = browser.text_of(".key").await?.context("the page shows no key")?;
    assert_eq!(shown.trim(), fingerprint, "page and screen show the same key");
    browser.wait_for_text("whose words they are", PATIENCE, |text| text.contains("its own words")).await?;
    browser.find("#name", PATIENCE).await?.fill("claimed-by-test").await?;

    // Only the screen has what is asked for now.
    let check = on_screen(&fleet, "Check characters").await?;
    let log = std::fs::read_to_string(fleet.log("unclaimed"))?;
    assert!(!log.contains(&code) && !log.contains(&check), "a log is read from afar: {log}");
    browser.find("#check", PATIENCE).await?.fill(if check == "AC34" { "AC36" } else { "AC34" }).await?;
    browser.find("button[type=submit]", PATIENCE).await?.click().await?;
    browser.wait_for_text("the wrong check", PATIENCE, |text| text.contains("not the characters on the box")).await?;
    assert!(fleet.devices().await?.is_empty(), "a box that waits belongs to nobody");
    browser.find("#check", PATIENCE).await?.fill(&check.to_lowercase()).await?;
    browser.find("button[type=submit]", PATIENCE).await?.click().await?;
    browser.wait_for_text("the answer", PATIENCE, |text| text.contains("claimed-by-test is yours")).await?;
    browser.wait_for_text("the box online", PATIENCE, |text| text.contains("It is online")).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());

    let devices = fleet.online(1).await.context(unclaimed.log_tail())?;
    let names: Vec<_> = devices.iter().filter_map(|device| device.get("name").and_then(Value::as_str)).collect();
    assert_eq!(names, ["claimed-by-test"]);
    Ok(())
}
