//! A real Chromium, driven through its driver by the WebDriver protocol.

mod driver;

use anyhow::{Context as _, ensure};
use driver::Driver;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

use crate::wait::until;

/// The name WebDriver gives to a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
}

impl Browser {
    /// Starts a browser with a window of this size in CSS pixels.
    ///
    /// # Errors
    /// Chromium or its driver is not installed or does not start.
    pub async fn start(folder: &Path, width: u32, height: u32) -> anyhow::Result<Self> {
        Self::launch(folder, width, height, false).await
    }

    /// Starts one whose user goes on where a certificate is not trusted, as the first visitor of a development fleet does.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_trusting_anyone(folder: &Path, width: u32, height: u32) -> anyhow::Result<Self> {
        Self::launch(folder, width, height, true).await
    }

    async fn launch(folder: &Path, width: u32, height: u32, trusts_anyone: bool) -> anyhow::Result<Self> {
        let profile = folder.join("chromium");
        let driver = Driver::start(folder).await?;
        let arguments = [
            "--headless=new".to_owned(),
            // As root there is no sandbox; what is opened here is our own page only.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            format!("--user-data-dir={}", profile.display()),
            format!("--window-size={width},{height}"),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": trusts_anyone,
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let started = driver.post("/session", &wanted).await.context("the browser does not start")?;
        let session = started.get("sessionId").and_then(Value::as_str).context("the driver names no session")?;
        Ok(Self { session: format!("/session/{session}"), driver })
    }

    /// Opens an address in the current tab.
    ///
    /// # Errors
    /// The page does not load.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", &json!({"url": url})).await.map(|_| ())
    }

    /// The address of the current tab.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn url(&self) -> anyhow::Result<String> {
        let url = self.driver.get(&format!("{}/url", self.session)).await?;
        url.as_str().map(str::to_owned).context("the tab has no address")
    }

    /// The cookies of the current page, as WebDriver describes them: `name`, `secure`, `httpOnly`, `path` and so on.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn cookies(&self) -> anyhow::Result<Vec<Value>> {
        let cookies = self.driver.get(&format!("{}/cookie", self.session)).await?;
        cookies.as_array().cloned().context("the driver lists no cookies")
    }

    /// Runs the body of a function in the page and returns what it returns.
    ///
    /// # Errors
    /// The script fails.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": arguments})).await
    }

    /// The text a person sees.
    ///
    /// # Errors
    /// There is no page.
    pub async fn text(&self) -> anyhow::Result<String> {
        let text = self.run("return document.body ? document.body.innerText : ''", &[]).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the text a person sees satisfies a condition, and returns it.
    ///
    /// # Errors
    /// It does not in time; the error shows the text.
    pub async fn wait_for_text(
        &self,
        what: &str,
        patience: Duration,
        condition: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        until(what, patience, || async {
            let text = self.text().await?;
            ensure!(condition(&text), "the page reads:\n{text}");
            Ok(Some(text))
        })
        .await
    }

    /// Waits for the one visible element that a CSS selector finds.
    ///
    /// # Errors
    /// It does not appear in time.
    pub async fn find(&self, selector: &str, patience: Duration) -> anyhow::Result<Element<'_>> {
        let id = until(selector, patience, || async {
            let found = self.post("/element", &json!({"using": "css selector", "value": selector})).await?;
            Ok(found.get(ELEMENT).and_then(Value::as_str).map(str::to_owned))
        });
        Ok(Element { browser: self, id: id.await? })
    }

    /// The text of what a CSS selector finds first; none when it finds nothing.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn text_of(&self, selector: &str) -> anyhow::Result<Option<String>> {
        let script = "const found = document.querySelector(arguments[0]); return found && found.innerText";
        Ok(self.run(script, &[json!(selector)]).await?.as_str().map(str::to_owned))
    }

    /// Opens a further tab and goes there.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn new_tab(&self) -> anyhow::Result<String> {
        let made = self.post("/window/new", &json!({"type": "tab"})).await?;
        let handle = made.get("handle").and_then(Value::as_str).context("the new tab has no name")?.to_owned();
        self.switch_to(&handle).await?;
        Ok(handle)
    }

    /// The name of the current tab.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn current_tab(&self) -> anyhow::Result<String> {
        let handle = self.driver.get(&format!("{}/window", self.session)).await?;
        handle.as_str().map(str::to_owned).context("the tab has no name")
    }

    /// Goes to a tab.
    ///
    /// # Errors
    /// There is no such tab.
    pub async fn switch_to(&self, handle: &str) -> anyhow::Result<()> {
        self.post("/window", &json!({"handle": handle})).await.map(|_| ())
    }

    /// Closes the current tab. Nothing more is to be had before another is gone to.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn close_tab(&self) -> anyhow::Result<()> {
        self.driver.delete(&format!("{}/window", self.session)).await.map(|_| ())
    }

    /// A picture of the page, as PNG.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let picture = self.driver.get(&format!("{}/screenshot", self.session)).await?;
        let text = picture.as_str().context("there is no picture")?;
        data_encoding::BASE64.decode(text.as_bytes()).context("the picture is damaged")
    }

    /// Sends a command of Chromium's own protocol, for what WebDriver cannot do.
    ///
    /// # Errors
    /// Chromium refuses it.
    pub async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// Everything the console said since it was last asked: violated policies, failed requests, panics.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let lines = self.post("/se/log", &json!({"type": "browser"})).await?;
        let is_grave = |line: &&Value| {
            let level = line.get("level").and_then(Value::as_str);
            matches!(level, Some("SEVERE" | "WARNING"))
        };
        let grave = lines.as_array().into_iter().flatten().filter(is_grave);
        Ok(grave.filter_map(|line| line.get("message").and_then(Value::as_str)).map(str::to_owned).collect())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.driver.post(&format!("{}{path}", self.session), body).await
    }
}

impl Drop for Browser {
    /// Ends the session, for a driver that is merely stopped leaves its browser running.
    fn drop(&mut self) {
        self.driver.delete_now(&self.session);
    }
}

/// An element of a page.
#[derive(Debug)]
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Element<'_> {
    /// Clicks it, as a person would: it has to be visible and not covered.
    ///
    /// # Errors
    /// It cannot be clicked.
    pub async fn click(&self) -> anyhow::Result<()> {
        self.post("click", &json!({})).await
    }

    /// Empties it and types a text.
    ///
    /// # Errors
    /// It takes no text.
    pub async fn fill(&self, text: &str) -> anyhow::Result<()> {
        self.post("clear", &json!({})).await?;
        self.post("value", &json!({"text": text})).await
    }

    async fn post(&self, deed: &str, body: &Value) -> anyhow::Result<()> {
        self.browser.post(&format!("/element/{}/{deed}", self.id), body).await.map(|_| ())
    }
}
