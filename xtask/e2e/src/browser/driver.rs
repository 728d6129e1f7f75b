//! The program that drives the browser, and how it is spoken to.

use crate::http;
use crate::process::{Running, tail};
use crate::programs::installed;
use crate::wait::{PATIENCE, until};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long the browser may take to end.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// A running driver. Dropping it ends it, and the browser with it.
#[derive(Debug)]
pub(super) struct Driver {
    address: SocketAddr,
    process: Running,
}

impl Driver {
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("chromedriver.log");
        let _ = std::fs::remove_file(&log);
        // The browser keeps files in its home, which must not be a person's.
        let environment = vec![("HOME".into(), folder.into())];
        let process = Running::start(installed("chromedriver")?, vec!["--port=0".into()], environment, log.clone())?;
        let port = until("the browser's driver listens", PATIENCE, || async { Ok(read_port(&tail(&log))) }).await?;
        Ok(Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), process })
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.request("POST", path, body.to_string().as_bytes()).await
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.request("GET", path, b"").await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.request("DELETE", path, b"").await
    }

    /// Ends a session without a runtime. There is nobody to tell when it fails.
    pub(super) fn delete_now(&self, session: &str) {
        let delete = || {
            let mut stream = TcpStream::connect_timeout(&self.address, END_PATIENCE)?;
            stream.set_read_timeout(Some(END_PATIENCE))?;
            stream.write_all(format!("DELETE {session} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes())?;
            // The answer comes once the browser has ended.
            stream.read(&mut [0; 512])
        };
        let _ = delete();
    }

    async fn request(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Value> {
        let headers = "Content-Type: application/json\r\n";
        let answer = http::request(self.address, method, path, headers, body).await?;
        let mut json: Value = serde_json::from_slice(&answer.body).context("the driver answers no JSON")?;
        let value = json.get_mut("value").map(Value::take).unwrap_or_default();
        if answer.status != 200 {
            let error = value.get("error").and_then(Value::as_str).unwrap_or("unknown error");
            let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
            bail!("{error}: {}", message.lines().next().unwrap_or_default());
        }
        Ok(value)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It holds nothing worth a farewell; that it is gone already is no matter either.
        let _ = self.process.kill_hard();
    }
}

/// Reads "ChromeDriver was started successfully on port 34567."
fn read_port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("started successfully on port ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read() {
        assert_eq!(read_port("Starting\nChromeDriver was started successfully on port 34567.\n"), Some(34567));
        assert_eq!(read_port("Starting"), None);
    }
}
