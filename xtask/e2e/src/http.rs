//! Plain HTTP to loopback: enough for probes and for a browser's driver.

use anyhow::Context as _;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is read, in bytes: a screenshot in base64 is the largest there is.
const MAX_ANSWER: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Lower-case names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Asks for a path.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    request(address, "GET", path, "", &[]).await
}

/// Sends a request with a body and further header lines, each with its line end.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut bytes = Vec::new();
    read_answer(&mut stream, &mut bytes).await?;
    parse(&bytes)
}

/// Reads until the announced length is there or the other side closes: a driver may keep the connection open.
async fn read_answer(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut limited = stream.take(MAX_ANSWER);
    let mut wanted = None;
    while wanted.is_none_or(|wanted| bytes.len() < wanted) {
        if limited.read_buf(bytes).await? == 0 {
            break;
        }
        if wanted.is_none()
            && let Some((head, _)) = split_head(bytes)
        {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            wanted = length.map(|length| head.len() + 4 + length);
        }
    }
    Ok(())
}

fn split_head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((head, bytes.get(end + 4..)?))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Answer> {
    let (head, body) = split_head(bytes).context("the answer is not HTTP")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("the answer has no status")?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer { status: status.parse().context("the status is no number")?, headers, body: body.to_vec() })
}
