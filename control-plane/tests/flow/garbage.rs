//! Connections that do not speak as they should: each is ended by the server, and nobody else notices.

use crate::support::{Fixture, PATIENCE, TestBox, samples, secure_stream};
use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a client of HTTP/2 begins with, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Says something and waits until the server has ended the connection. Our side stays open all the while.
async fn until_ended(stream: impl AsyncRead + AsyncWrite, what: String, garbage: Vec<u8>) -> Result<()> {
    let (mut from, mut to) = tokio::io::split(stream);
    let ended = async {
        // The server may close before all is written.
        let _closed_early = to.write_all(&garbage).await;
        let _closed_early = to.flush().await;
        // With or without a last word, and by an end or a reset.
        let mut last_words = Vec::new();
        from.read_to_end(&mut last_words).await
    };
    let _end_or_reset = tokio::time::timeout(PATIENCE, ended).await.with_context(|| format!("{what}: it lives on"))?;
    Ok(())
}

#[tokio::test]
async fn whoever_does_not_speak_tls_is_ended() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut neighbour = known.open().await?;
    let cases: [(&str, &[u8]); 7] = [
        ("silence", b""),
        ("HTTP in the clear", b"GET / HTTP/1.1\r\n\r\n"),
        ("HTTP/2 in the clear", PREFACE),
        ("zeroes", &[0; 4096]),
        ("a record that is too long", &[0x16, 3, 1, 0xff, 0xff]),
        ("a record that does not go on", &[0x16, 3, 1, 0, 0x40, 1]),
        ("a flood", &[0xff; 70_000]),
    ];
    let all = cases.map(|(what, garbage)| async move {
        until_ended(TcpStream::connect(known.address).await?, what.to_owned(), garbage.to_vec()).await
    });
    neighbour.live_through(try_join_all(all)).await??;
    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

#[tokio::test]
async fn whoever_does_not_speak_http_2_is_ended() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut neighbour = known.open().await?;
    let after_preface = |frame: Vec<u8>| [PREFACE, &frame].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("noise", (0..4096_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect()),
        ("a broken preface", b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n".to_vec()),
        ("a frame that is too long", after_preface(vec![0xff; 70_000])),
        ("data on no stream", after_preface(frame(0, 0, 0, b"data"))),
        ("headers that cannot be decoded", after_preface(frame(1, 4, 1, &[0xff; 20]))),
        ("a continuation of nothing", after_preface(frame(9, 4, 1, b"more"))),
        ("settings that are cut off", after_preface(frame(4, 0, 0, &[0; 5]))),
        ("a window that grows by nothing", after_preface(frame(8, 0, 0, &[0; 4]))),
        ("a window beyond all bounds", after_preface(frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))),
        ("a promise from a client", after_preface(frame(5, 4, 1, &[0, 0, 0, 2]))),
    ];
    let identity = || Some((known.chain.clone(), &known.key));
    let mut all = Vec::new();
    for (what, garbage) in cases {
        for (who, identity) in [("a stranger", None), ("a known box", identity())] {
            let stream = secure_stream(known.address, &known.roots, identity).await?;
            all.push(until_ended(stream, format!("{what}, by {who}"), garbage.clone()));
        }
    }
    neighbour.live_through(try_join_all(all)).await??;
    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}
