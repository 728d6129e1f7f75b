//! Boxes that somebody has to take in: by the code on their screen, or as operators of a join token.

use anyhow::Context as _;
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::process::tail;
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::Value;

/// What stands behind a title on the box's screen.
pub(crate) async fn on_screen(fleet: &Fleet, title: &str) -> anyhow::Result<String> {
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

/// The same from a terminal, and what a script reads of it.
#[tokio::test]
async fn a_box_is_claimed_from_a_terminal() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 0, sample_interval_ms: 1_000 }).await?;
    let unclaimed = fleet.start_unclaimed("unclaimed")?;
    let code = on_screen(&fleet, "Claim code").await?;
    let fingerprint = on_screen(&fleet, "Key fingerprint").await?;
    let shown = fleet.fleetctl(&["claim", "show", &code, "-o", "json"]).await?;
    assert_eq!(shown.get("key_fingerprint").and_then(Value::as_str), Some(fingerprint.as_str()));
    assert_eq!(shown.get("check_tries_left").and_then(Value::as_u64), Some(5));
    let check = on_screen(&fleet, "Check characters").await?;
    let wrong = if check == "AC34" { "AC36" } else { "AC34" };
    let refused = fleet.fleetctl(&["claim", "approve", &code, "--check", wrong, "-o", "json"]).await;
    assert!(format!("{:#}", refused.unwrap_err()).contains("check: "), "a wrong check is told as one");
    let approve =
        ["claim", "approve", &code, "--check", &check, "--installation", "Home", "--name", "cellar", "-o", "json"];
    let approved = fleet.fleetctl(&approve).await?;
    assert_eq!(approved.pointer("/device/name").and_then(Value::as_str), Some("cellar"));
    let devices = fleet.online(1).await.context(unclaimed.log_tail())?;
    let home = devices.first().and_then(|device| device.pointer("/installation/name")).and_then(Value::as_str);
    assert_eq!(home, Some("Home"));
    Ok(())
}

#[tokio::test]
async fn boxes_of_a_token_that_asks_wait_with_a_badge() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 1, sample_interval_ms: 1_000 }).await?;
    let browser = Browser::start(fleet.folder().path(), 390, 844).await?;
    fleet.sign_in(&browser).await?;
    assert_eq!(browser.text_of(".badge").await?, None, "nothing waits");
    let create = [
        "join-token",
        "create",
        "--approval",
        "--name-pattern",
        "shop-{n}",
        "--group",
        "shops",
        "--uses",
        "2",
        "-o",
        "json",
    ];
    let made = fleet.fleetctl(&create).await?;
    let secret = made.get("secret").and_then(Value::as_str).context("a secret")?;
    let taken = fleet.start_with_token("taken", secret)?;
    let turned_away = fleet.start_with_token("turned-away", secret)?;

    // The badge comes by itself, and leads there.
    until("the badge", PATIENCE, || async { Ok(browser.text_of(".badge").await?.filter(|badge| badge.trim() == "2")) })
        .await?;
    browser.find("a.nav-waiting", PATIENCE).await?.click().await?;
    browser.wait_for_text("both of them", PATIENCE, |text| text.contains("2 boxes wait for your yes")).await?;
    browser.wait_for_text("whose words they are", PATIENCE, |text| text.contains("its own words")).await?;
    // What a phone folds away: its name, its home and its labels.
    browser.find(".waiting-box summary", PATIENCE).await?.click().await?;
    browser.find(".waiting-box input[id^=name]", PATIENCE).await?.fill("Shop").await?;
    browser.find(".waiting-box input[id^=labels]", PATIENCE).await?.fill("site=graz").await?;
    browser.find(".waiting-box .button.primary", PATIENCE).await?.click().await?;
    browser.wait_for_text("what a name is made of", PATIENCE, |text| text.contains("only small letters")).await?;
    browser.find(".waiting-box input[id^=name]", PATIENCE).await?.fill("shop-west").await?;
    let homes = "const home = document.querySelector('.waiting-box select'); home.value = [...home.options].find(option => option.text === 'Home').value; \
                 home.dispatchEvent(new Event('change', {bubbles: true}))";
    browser.run(homes, &[]).await?;
    browser.find(".waiting-box .button.primary", PATIENCE).await?.click().await?;
    browser.wait_for_text("the answer", PATIENCE, |text| text.contains("shop-west is yours")).await?;
    browser.wait_for_text("the other one", PATIENCE, |text| text.contains("One box waits for your yes")).await?;
    browser.find(".waiting-box .button.danger", PATIENCE).await?.click().await?;
    browser.wait_for_text("nothing more", PATIENCE, |text| text.contains("No box waits for you")).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());

    let devices = fleet.online(2).await.context(taken.log_tail())?;
    let shop = devices.iter().find(|device| device.get("name").and_then(Value::as_str) == Some("shop-west"));
    let said = ["/labels/group", "/labels/site", "/installation/name"]
        .map(|what| shop.and_then(|device| device.pointer(what)).and_then(Value::as_str));
    assert_eq!(said, [Some("shops"), Some("graz"), Some("Home")], "{devices:?}");
    let told = ["taken", "turned-away"].map(|name| fleet.log(name));
    until("one of them is told", PATIENCE, || async {
        Ok(told.iter().any(|log| tail(log).contains("enrollment.denied")).then_some(()))
    })
    .await
    .context(turned_away.log_tail())
}
