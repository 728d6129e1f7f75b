//! What the other tests rely on: that the harness sees what it is meant to see.

use kaliun_e2e::browser::Browser;
use kaliun_e2e::folder::TestFolder;
use kaliun_e2e::wait::PATIENCE;
use serde_json::json;
use std::time::Duration;

/// A page that breaks its own policy.
const BREAKS_ITS_POLICY: &str = "data:text/html,<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'none'\">\
     <script>document.title='ran'</script><h1>Hello</h1>";

#[tokio::test]
async fn a_violated_policy_is_heard() -> anyhow::Result<()> {
    let folder = TestFolder::make()?;
    let browser = Browser::start(folder.path(), 800, 600).await?;
    browser.open("data:text/html,<h1>Calm</h1><input id=name>").await?;
    browser.wait_for_text("the calm page", PATIENCE, |text| text.contains("Calm")).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.find("#name", PATIENCE).await?.fill("typed").await?;
    assert_eq!(browser.run("return document.getElementById('name').value", &[]).await?, json!("typed"));
    assert!(browser.screenshot().await?.starts_with(b"\x89PNG"));

    browser.open(BREAKS_ITS_POLICY).await?;
    browser.wait_for_text("the other page", PATIENCE, |text| text.contains("Hello")).await?;
    let complaints = browser.complaints().await?;
    assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
    Ok(())
}

#[tokio::test]
async fn a_wait_that_fails_says_what_it_saw() -> anyhow::Result<()> {
    let folder = TestFolder::make()?;
    let browser = Browser::start(folder.path(), 800, 600).await?;
    browser.open("data:text/html,<h1>Something else</h1>").await?;
    let waited = browser.wait_for_text("the word", Duration::from_millis(300), |text| text.contains("word")).await;
    let error = format!("{:#}", waited.err().ok_or_else(|| anyhow::anyhow!("the word is not there"))?);
    assert!(error.contains("Something else"), "{error}");
    Ok(())
}
