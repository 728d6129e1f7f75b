//! Whoever guesses passwords: sign-ins as a browser makes them, each over a connection of its own, by turns from many addresses, so that no
//! source's own share keeps the passwords from being checked.

use super::source::Ended;
use anyhow::{Context as _, ensure};
use kaliun_proto::fleet::v1::SignInRequest;
use prost::Message as _;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

/// Addresses that take turns.
const SOURCES: u64 = 200;
/// Longest answer that is read, bytes. Ours have some hundred.
const ANSWER_MAX_BYTES: u64 = 16 * 1024;

/// Tries to sign in once, and answers what came of it.
pub(super) async fn try_once(server: SocketAddr, number: u64) -> Ended {
    match sign_in(server, number).await {
        Ok(ended) => ended,
        Err(_broken) => Ended::Closed,
    }
}

async fn sign_in(server: SocketAddr, number: u64) -> anyhow::Result<Ended> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((home(number), 0)))?;
    let mut stream = socket.connect(server).await?;
    let password = format!("no such password {number}");
    let message = SignInRequest { email: "admin@localhost".to_owned(), password }.encode_to_vec();
    let length = u32::try_from(message.len())?.to_be_bytes();
    let body = [&[0], length.as_slice(), &message].concat();
    let head = format!(
        "POST /kaliun.fleet.v1.AccountService/SignIn HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\n\
         sec-fetch-site: same-origin\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (_, status) = answer.split_once("grpc-status:").context("no status")?;
    let status = status.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    // UNAUTHENTICATED: the password was checked. RESOURCE_EXHAUSTED and UNAVAILABLE: it is to come back later.
    ensure!(["16", "8", "14"].contains(&status), "an answer with status {status}");
    Ok(if status == "16" { Ended::Answered } else { Ended::PutOff })
}

/// 127.9.0.0/16, each in another /24 than the last.
fn home(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(127, 9, u8::try_from(number % SOURCES).unwrap_or(0), 1)
}
