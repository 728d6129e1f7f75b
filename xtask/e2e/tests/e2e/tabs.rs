//! Tabs of one browser: one of them leads and holds the stream for all.

use crate::list::{LIVE_PATIENCE, ensure_not_reloaded, mark, rename_one, row};
use anyhow::{Context as _, ensure};
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::{Value, json};

const SHAPE: Shape = Shape { simulated: 4, sample_interval_ms: 1_000 };

/// More tabs than the connections a browser opens to one host over plain HTTP.
const MANY: usize = 8;

/// What the name of the lock begins with that the leading tab holds, before whose it is; as in `web-ui/src/live.rs`.
const LEADER_LOCK: &str = "kaliun.live.leader.";

/// What the locks begin with by which a test tells the tabs apart.
const TEST_LOCK: &str = "test.tab.";

/// Signs in and opens tabs until there are so many of them, each with the list and a mark.
async fn open_tabs(fleet: &Fleet, browser: &Browser, count: usize) -> anyhow::Result<Vec<String>> {
    fleet.sign_in(browser).await?;
    mark(browser).await?;
    let mut tabs = vec![browser.current_tab().await?];
    while tabs.len() < count {
        tabs.push(browser.new_tab().await?);
        browser.open(&fleet.public_url()).await?;
        browser.find("li.row[data-device]", PATIENCE).await?;
        mark(browser).await?;
    }
    Ok(tabs)
}

/// Renames a box and proves that every tab shows it, and is still the page that it was.
async fn ensure_live(fleet: &Fleet, browser: &Browser, tabs: &[String], new_name: &str) -> anyhow::Result<()> {
    rename_one(fleet, new_name).await?;
    for tab in tabs {
        browser.switch_to(tab).await?;
        browser.find(&row(new_name), LIVE_PATIENCE).await.with_context(|| format!("the change to {new_name}"))?;
        ensure_not_reloaded(browser).await?;
    }
    Ok(())
}

/// Holds a lock in the current tab for as long as it lives, by which the browser tells which client the tab is.
async fn name_tab(browser: &Browser, tab: &str) -> anyhow::Result<()> {
    let script = "const [name] = arguments;
        return new Promise(held => navigator.locks.request(name, () => { held(true); return new Promise(() => {}); }))";
    browser.run(script, &[json!(format!("{TEST_LOCK}{tab}"))]).await.map(|_| ())
}

/// The tab that leads, as the browser knows: the leader's lock and the tab's own belong to the same client.
async fn leading_tab(browser: &Browser) -> anyhow::Result<String> {
    let script = "return navigator.locks.query().then(({held}) => held.map(lock => [lock.name, lock.clientId]))";
    let held = browser.run(script, &[]).await?;
    let held: Vec<(&str, &str)> = held
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|lock| Some((lock.get(0).and_then(Value::as_str)?, lock.get(1).and_then(Value::as_str)?)))
        .collect();
    let (_, leader) = held.iter().find(|(name, _)| name.starts_with(LEADER_LOCK)).context("no tab leads")?;
    let tab = held.iter().find_map(|(name, client)| name.strip_prefix(TEST_LOCK).filter(|_| client == leader));
    tab.map(str::to_owned).context("the client that leads is none of the tabs")
}

#[tokio::test]
async fn eight_tabs_are_live_at_once() -> anyhow::Result<()> {
    let fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 1024, 768).await?;
    let tabs = open_tabs(&fleet, &browser, MANY).await?;
    for name in ["first-name", "second-name"] {
        ensure_live(&fleet, &browser, &tabs, name).await?;
    }
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}

/// Closes the tab that leads, again and again, until one tab is left.
#[tokio::test]
async fn another_tab_takes_over_when_the_leading_one_is_closed() -> anyhow::Result<()> {
    let fleet = Fleet::start(SHAPE).await?;
    let browser = Browser::start(fleet.folder().path(), 1024, 768).await?;
    let mut tabs = open_tabs(&fleet, &browser, 3).await?;
    for tab in &tabs {
        browser.switch_to(tab).await?;
        name_tab(&browser, tab).await?;
    }
    ensure_live(&fleet, &browser, &tabs, "before-any-was-closed").await?;
    while tabs.len() > 1 {
        let leader = leading_tab(&browser).await?;
        browser.switch_to(&leader).await?;
        browser.close_tab().await?;
        tabs.retain(|tab| *tab != leader);
        let other = tabs.first().context("a tab is left")?;
        browser.switch_to(other).await?;
        // Its locks go a moment after it.
        let has_changed = until("another tab leads", PATIENCE, || async {
            ensure!(tabs.contains(&leading_tab(&browser).await?), "the closed tab still leads");
            Ok(Some(()))
        });
        has_changed.await?;
        ensure_live(&fleet, &browser, &tabs, &format!("shown-by-{}", tabs.len())).await?;
        browser.find(".live-banner[data-live=current]", PATIENCE).await?;
    }
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}
