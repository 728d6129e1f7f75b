//! What somebody whom nobody knows can take of the public address.

use crate::support::{Fixture, PATIENCE};
use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kaliun_proto::fleet::v1 as fleet;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Begins a call whose body never ends, and sends so much of it.
async fn begin(server: SocketAddr, from: Ipv4Addr, call: &str, bytes: usize) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(server).await?;
    let head = format!(
        "POST /kaliun.fleet.v1.{call} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/grpc-web+proto\r\n\
         content-length: 10000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![0; bytes]).await?;
    Ok(stream)
}

/// The answer's head.
async fn answer(mut stream: TcpStream) -> Result<String> {
    let mut heard = vec![0; 2048];
    let length = tokio::time::timeout(PATIENCE, stream.read(&mut heard)).await.context("no answer")??;
    Ok(String::from_utf8_lossy(heard.get(..length).unwrap_or_default()).into_owned())
}

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

#[tokio::test]
async fn a_large_body_of_nobody_is_not_read() -> Result<()> {
    let fixture = Fixture::start().await?;
    let server = fixture.server.addresses().public;
    // Whoever may sign in may send an address and a password, and no more.
    let said = answer(begin(server, HERE, "AccountService/SignIn", 8 * 1024).await?).await?;
    assert!(said.contains("larger%20than%204%20KiB"), "{said}");
    // Who is not signed in is told so while the body is still to come.
    let said = answer(begin(server, HERE, "DeviceService/UpdateDevice", 8).await?).await?;
    assert!(said.contains("grpc-status: 16"), "{said}");
    fixture.stop().await
}

#[tokio::test]
async fn calls_that_never_end_keep_nobody_else_out() -> Result<()> {
    let fixture = Fixture::start().await?;
    let server = fixture.server.addresses().public;
    let mut stalled = FuturesUnordered::new();
    for _ in 0..80 {
        stalled.push(answer(begin(server, ELSEWHERE, "AccountService/SignIn", 8).await?));
    }
    for _ in 0..16 {
        let said = stalled.next().await.context("the others wait")??;
        ensure!(said.contains("grpc-status: 14"), "beyond its share a source is told to come back: {said}");
    }
    let mut versions = fleet::server_service_client::ServerServiceClient::new(fixture.public().await?);
    versions.get_version(fleet::GetVersionRequest {}).await?;
    fixture.stop().await
}
