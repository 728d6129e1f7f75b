//! How fast the dashboard is for someone who waits for it.

use anyhow::{Context as _, bail, ensure};
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::{Value, json};

/// A full page of the list: `PAGE_SIZE` of `web-ui/src/model/filter.rs`.
const BOXES: u32 = 50;

/// How long the list may take from navigation, in milliseconds. A promise of the project.
const LIST_MS: f64 = 1_000.0;

/// How often the page is loaded for the first time in a round. There is no load before these that does not count.
const LOADS: usize = 5;

/// A round during which the machine did something else says nothing of the page, so another may follow. A page that is slow
/// is slow in each of them.
const ROUNDS: usize = 3;

/// Notes in the page when its first row is there, and when all rows are, with their names, and the frame that shows them
/// was drawn. The clock of a page begins with its navigation.
const STOPWATCH: &str = "
    const isShown = row => row.dataset.device !== '' && row.offsetHeight > 0;
    const observer = new MutationObserver(() => {
        const rows = [...document.querySelectorAll('li.row[data-device]')];
        if (rows.length > 0) window.firstRowAfter ??= performance.now();
        if (rows.length < WANTED || !rows.every(isShown)) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => { window.listShownAfter = performance.now(); }));
    });
    observer.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-device'] });
";

/// What a page noted, once its list is shown, and where the time went until then.
const READING: &str = "
    if (!window.listShownAfter) return null;
    const [document] = performance.getEntriesByType('navigation');
    const files = [document, ...performance.getEntriesByType('resource')].map(entry => ({
        name: new URL(entry.name).pathname,
        after: Math.round(entry.startTime),
        until: Math.round(entry.responseEnd),
        fetched: entry.transferSize,
    }));
    return { shown: window.listShownAfter, first: window.firstRowAfter, files };
";

/// Loads the page as a browser does that was never there, but for the session: in a new tab, with nothing kept of its files
/// nor of what they were compiled to. Returns what the page noted.
async fn first_load(browser: &Browser, url: &str) -> anyhow::Result<Value> {
    let before = browser.current_tab().await?;
    let tab = browser.new_tab().await?;
    // A tab that stayed would lead, and pass on what it has.
    browser.switch_to(&before).await?;
    browser.close_tab().await?;
    browser.switch_to(&tab).await?;
    browser.devtools("Network.clearBrowserCache", json!({})).await?;
    let stopwatch = STOPWATCH.replace("WANTED", &BOXES.to_string());
    let source = format!("(() => {{ {stopwatch} }})()");
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})).await?;
    browser.open(url).await?;
    let noted = || async { Ok(Some(browser.run(READING, &[]).await?).filter(|noted| !noted.is_null())) };
    until("the list is shown", PATIENCE, noted).await
}

/// Proves that the program came over the network, and not from what the browser kept.
fn ensure_fetched(load: &Value) -> anyhow::Result<()> {
    let files = load.get("files").and_then(Value::as_array).context("the page lists no files")?;
    let name = |file: &Value| file.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    for kind in [".js", ".wasm", ".css"] {
        let mut files = files.iter().filter(|file| name(file).ends_with(kind)).peekable();
        ensure!(files.peek().is_some(), "no {kind} is among {load}");
        let is_kept = |file: &Value| file.get("fetched").and_then(Value::as_u64).unwrap_or_default() == 0;
        ensure!(!files.any(is_kept), "some {kind} was kept: {load}");
    }
    Ok(())
}

/// Loads the page some times, each as if for the first time.
async fn round(browser: &Browser, url: &str) -> anyhow::Result<Vec<Value>> {
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        let load = first_load(browser, url).await?;
        ensure_fetched(&load)?;
        loads.push(load);
    }
    Ok(loads)
}

/// The middle of what the pages of a round noted under a name: half of the loads were no slower.
fn median(loads: &[Value], name: &str) -> anyhow::Result<f64> {
    let mut noted: Vec<f64> = loads.iter().filter_map(|load| load.get(name)?.as_f64()).collect();
    ensure!(noted.len() == loads.len(), "not every page noted {name}: {loads:?}");
    noted.sort_by(f64::total_cmp);
    noted.get(noted.len() / 2).copied().context("nothing was loaded")
}

/// What was too slow in a round, if something was.
fn fault(loads: &[Value]) -> anyhow::Result<Option<String>> {
    let (first, shown) = (median(loads, "first")?, median(loads, "shown")?);
    let is_fast = first < LIST_MS && shown < LIST_MS;
    Ok((!is_fast)
        .then(|| format!("the first row was there after {first:.0} ms, the list was drawn after {shown:.0} ms")))
}

#[tokio::test]
async fn the_list_is_shown_within_a_second_of_a_first_load() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: BOXES, sample_interval_ms: 15_000 }).await?;
    let browser = Browser::start(fleet.folder().path(), 1440, 900).await?;
    fleet.sign_in(&browser).await?;
    let mut faults = Vec::new();
    while faults.len() < ROUNDS {
        let loads = round(&browser, &fleet.public_url()).await?;
        let report: String = loads.iter().map(|load| format!("{load}\n")).collect();
        println!("{report}");
        let Some(fault) = fault(&loads)? else { return Ok(()) };
        faults.push(format!("{fault}:\n{report}"));
    }
    bail!("{}", faults.join("\n"))
}

#[test]
fn a_round_is_judged_by_the_load_in_its_middle() -> anyhow::Result<()> {
    let check = |first: [u32; LOADS], shown: [u32; LOADS], is_fault: bool| {
        let loads: Vec<Value> =
            first.into_iter().zip(shown).map(|(first, shown)| json!({"first": first, "shown": shown})).collect();
        ensure!(fault(&loads)?.is_some() == is_fault, "{loads:?}");
        Ok(())
    };
    check([100; LOADS], [200, 200, 200, 5_000, 5_000], false)?;
    check([100; LOADS], [5_000, 200, 5_000, 200, 5_000], true)?;
    check([100, 5_000, 5_000, 100, 5_000], [200; LOADS], true)?;
    check([1_000; LOADS], [1_000; LOADS], true)
}
