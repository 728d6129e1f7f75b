//! The dashboard in a real browser, over plain HTTP as on anyone's own machine.

use crate::list::{LIVE_PATIENCE, ensure_not_reloaded, mark, names, rename_one, row};
use anyhow::{Context as _, ensure};
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::http;
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SHAPE: Shape = Shape { simulated: 4, sample_interval_ms: 1_000 };

/// Largest first load, in bytes as they cross the network: the budget of the project. What is shipped is optimised as a whole
/// and smaller than the development build that is tested here.
const FIRST_LOAD: usize = 350_000;

#[tokio::test]
async fn signing_in_shows_every_box_and_breaks_no_policy() -> anyhow::Result<()> {
    let fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 1440, 900).await?;
    browser.open(&fleet.public_url()).await?;
    fleet.fill_sign_in(&browser, "not the password").await?;
    browser.wait_for_text("the refusal", PATIENCE, |text| text.contains("password is wrong")).await?;
    fleet.fill_sign_in(&browser, fleet.admin_password()).await?;
    for name in names(&fleet).await? {
        browser.find(&row(&name), PATIENCE).await?;
    }
    let name = names(&fleet).await?.into_iter().next().context("there is no box")?;
    browser.find(&format!("{} a", row(&name)), PATIENCE).await?.click().await?;
    browser.wait_for_text("the box's page", PATIENCE, |text| text.contains(&name) && text.contains("CPU")).await?;
    ensure!(browser.url().await?.contains("/devices/"));
    let identity = |text: &str| text.contains("Identity") && text.contains("Enrolled · authority 1");
    browser.wait_for_text("what the box proves itself with", PATIENCE, identity).await?;
    // A session outlives a reload.
    browser.open(&fleet.public_url()).await?;
    browser.find(&row(&name), PATIENCE).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}

/// Proves that the list shows changes by itself: figures, a name, and boxes that leave and come back.
#[tokio::test]
async fn the_list_moves_without_a_reload() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 390, 844).await?;
    fleet.sign_in(&browser).await?;
    mark(&browser).await?;

    let figures = || async {
        browser.run("return [...document.querySelectorAll('.row-figures')].map(f => f.innerText)", &[]).await
    };
    for _ in 0..3 {
        let before = figures().await?;
        until("the figures move", LIVE_PATIENCE, || async { Ok((figures().await? != before).then_some(())) }).await?;
    }
    rename_one(&fleet, "renamed-by-test").await?;
    browser.find(&row("renamed-by-test"), LIVE_PATIENCE).await?;

    let words = |wanted: &'static str| {
        let browser = &browser;
        async move {
            until(wanted, PATIENCE, || async {
                let script = "return [...document.querySelectorAll('.row-link-word')].map(word => word.textContent)";
                let words = browser.run(script, &[]).await?;
                let words: Vec<&str> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                ensure!(
                    words.len() == SHAPE.simulated as usize && words.iter().all(|word| *word == wanted),
                    "{words:?}"
                );
                Ok(Some(()))
            })
            .await
        }
    };
    words("Connected").await?;
    if let Some(sim) = &mut fleet.sim {
        sim.kill_hard()?;
        words("Offline").await?;
        sim.start_again()?;
        words("Connected").await?;
    }
    ensure_not_reloaded(&browser).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}

/// Proves that a box that was revoked says so, wherever it is shown, and is no reason for anybody to look.
#[tokio::test]
async fn a_revoked_box_is_called_revoked_and_needs_nobody() -> anyhow::Result<()> {
    let fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 390, 844).await?;
    fleet.sign_in(&browser).await?;
    let all_well = |text: &str| text.contains("All 4 boxes are well");
    browser.wait_for_text("that all is well", LIVE_PATIENCE, all_well).await?;
    let name = names(&fleet).await?.into_iter().next().context("there is no box")?;
    fleet.fleetctl(&["device", "revoke", &format!("device/{name}"), "--yes", "-o", "json"]).await?;

    let counted = |text: &str| text.contains("All 3 boxes are well") && text.contains("1 revoked");
    browser.wait_for_text("that it is counted apart", LIVE_PATIENCE, counted).await?;
    let shown = browser.text_of(&row(&name)).await?.context("it stays on the list")?;
    ensure!(shown.contains("Revoked") && shown.contains("Cut off") && !shown.contains("Offline"), "{shown}");
    browser.open(&format!("{}/?state=offline", fleet.public_url())).await?;
    browser.wait_for_text("that none is offline", PATIENCE, |text| text.contains("No box matches")).await?;

    browser.open(&fleet.public_url()).await?;
    browser.find(&format!("{} a", row(&name)), PATIENCE).await?.click().await?;
    let told = format!("{name} was revoked.");
    browser
        .wait_for_text("the box's page", PATIENCE, |text| text.contains(&told) && text.contains("enrol it anew"))
        .await?;
    let identity = |text: &str| text.contains("Counts for nothing any more") && !text.contains("Runs out");
    browser.wait_for_text("what its certificate is worth", PATIENCE, identity).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}

/// The check that the list moves is worth something: without live updates it fails. And once they can come again, the page
/// catches up by itself.
#[tokio::test]
async fn without_live_updates_the_list_stands_still_and_says_so() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 1440, 900).await?;
    fleet.sign_in(&browser).await?;
    mark(&browser).await?;
    // The open stream ends with the control plane; a new one is blocked in the browser, and nothing else is.
    let block = |urls: Value| browser.devtools("Network.setBlockedURLs", json!({"urls": urls}));
    browser.devtools("Network.enable", json!({})).await?;
    block(json!(["*kaliun.fleet.v1.WatchService*"])).await?;
    fleet.control_plane.kill_hard()?;
    fleet.control_plane.start_again()?;
    fleet.ready().await?;
    browser.find(".live-banner[data-live=broken]", PATIENCE).await?;
    rename_one(&fleet, "renamed-while-blind").await?;
    let seen = browser.find(&row("renamed-while-blind"), Duration::from_secs(5)).await;
    ensure!(seen.is_err(), "a list that is not live cannot show the new name");

    block(json!([])).await?;
    browser.find(&row("renamed-while-blind"), PATIENCE).await?;
    browser.find(".live-banner[data-live=current]", PATIENCE).await?;
    ensure_not_reloaded(&browser).await
}

/// The page, and everything it names, as a browser that takes brotli gets them.
#[tokio::test]
async fn the_first_load_is_small_and_strict() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 0, ..SHAPE }).await?;
    let public = fleet.public();
    let get = move |path: String| async move {
        let answer = http::request(public, "GET", &path, "Accept-Encoding: br\r\n", b"").await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        anyhow::Ok(answer)
    };
    let page = get("/".to_owned()).await?;
    let policy = page.header("content-security-policy").context("there is no policy")?;
    ensure!(policy.contains("script-src 'self' 'wasm-unsafe-eval'") && !policy.contains("unsafe-inline"), "{policy}");
    let index = http::request(public, "GET", "/", "", b"").await?;
    let html = String::from_utf8(index.body).context("the page is not text")?;
    let named: BTreeSet<&str> =
        html.split(['"', '\'']).filter(|word| word.starts_with('/') && word.contains('.')).collect();
    let mut total = page.body.len();
    let mut files = 0;
    for path in named {
        let file = get(path.to_owned()).await?;
        let cache = file.header("cache-control").unwrap_or_default();
        ensure!(cache.contains("immutable"), "{path} is not kept by browsers: {cache:?}");
        total += file.body.len();
        files += 1;
    }
    ensure!(files >= 4, "the page names only {files} files");
    ensure!(total <= FIRST_LOAD, "the first load is {total} bytes");
    Ok(())
}
