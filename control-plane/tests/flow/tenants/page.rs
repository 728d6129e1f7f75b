//! Signing in as a browser does: gRPC-Web over HTTP/1.1, from one of the server's own pages.

use anyhow::{Context, Result};
use kaliun_proto::fleet::v1::SignInRequest;
use prost::Message;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The gRPC status.
    pub(crate) code: Option<u32>,
    /// The status's words, as they were sent.
    pub(crate) message: String,
    /// All of it, with headers.
    pub(crate) whole: String,
}

/// Signs in with an address and a password.
pub(crate) async fn sign_in(server: SocketAddr, email: &str, password: &str) -> Result<Answer> {
    let message = SignInRequest { email: email.to_owned(), password: password.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len())?.to_be_bytes();
    let body = [&[0], length.as_slice(), &message].concat();
    let head = format!(
        "POST /kaliun.fleet.v1.AccountService/SignIn HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\n\
         sec-fetch-site: same-origin\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.context("the whole answer")?;
    let whole = String::from_utf8_lossy(&answer).into_owned();
    // In a header or in the last frame of the body, which are written alike but for a space.
    let field = |name: &str| {
        let (_before, value) = whole.split_once(&format!("{name}:"))?;
        value.split("\r\n").next().map(|value| value.trim().to_owned())
    };
    let code = field("grpc-status").and_then(|code| code.parse().ok());
    let message = field("grpc-message").unwrap_or_default();
    Ok(Answer { code, message, whole })
}
