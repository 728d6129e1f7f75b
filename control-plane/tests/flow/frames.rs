//! Messages that no agent of ours sends, on a link that is otherwise good: too large ones, and frames of gRPC made by hand.

use crate::devices::wait_for;
use crate::support::{Fixture, PATIENCE, TestBox, hello, samples, with_token, word};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{DeviceMessage, Hello, ServerMessage};
use kaliun_types::limits::LINK_MESSAGE_MAX_BYTES;
use kaliun_types::reason::ReasonCode;
use prost::Message;
use prost::encoding::WireType;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::Codec;
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceExt};

fn check(status: &Status, what: &str) {
    let expected = ReasonCode::LinkProtocolError;
    let message = format!("{}: {}", expected.code(), expected.next_step());
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, message.as_str()), "{what}");
}

/// Waits until people are told that the device's session ended with this reason, and that it is in its events.
async fn until_noted(fixture: &Fixture, id: &str, times: usize) -> Result<()> {
    let reason = ReasonCode::LinkProtocolError.code();
    let is_noted = |device: &fleet::Device| {
        let link = device.link.clone().unwrap_or_default();
        link.state() == fleet::LinkState::Offline && link.reason == reason
    };
    wait_for(fixture, id, is_noted).await?;
    let mut history = fleet::history_service_client::HistoryServiceClient::new(fixture.public().await?);
    let listed = fleet::ListEventsRequest { device_id: id.to_owned(), page_size: 500, ..Default::default() };
    let events = history.list_events(with_token(listed)).await?.into_inner().events;
    assert_eq!(events.iter().filter(|event| event.code == reason).count(), times, "{events:?}");
    Ok(())
}

/// A frame of gRPC with a payload that is not compressed.
fn frame(payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&[0], length.as_slice(), payload].concat().into()
}

fn greeting() -> Bytes {
    frame(&word(DeviceWord::Hello(Box::new(hello()))).encode_to_vec())
}

/// A good batch in a message of exactly so many bytes: the rest is a field of a later version, which is to be passed over.
fn batch_of(first_sequence: u64, bytes: usize) -> Bytes {
    let mut message = word(DeviceWord::SampleBatch(samples(first_sequence, 1))).encode_to_vec();
    // Two bytes of tag and three of length.
    let padding = bytes - message.len() - 5;
    prost::encoding::encode_key(1000, WireType::LengthDelimited, &mut message);
    prost::encoding::encode_varint(u64::try_from(padding).expect("a short padding"), &mut message);
    message.resize(bytes, 0);
    frame(&message)
}

/// A link whose frames are made by hand.
struct RawLink {
    frames: mpsc::Sender<Bytes>,
    hear: Streaming<ServerMessage>,
}

impl RawLink {
    /// Opens a link by a first frame, or is refused.
    async fn open(known: &TestBox, first: Bytes) -> Result<Result<Self, Status>> {
        let (frames, outbound) = mpsc::channel(4);
        frames.send(first).await?;
        let body = StreamBody::new(ReceiverStream::new(outbound).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
        let request = http::Request::post("/kaliun.link.v1.LinkService/OpenLink")
            .header(http::header::CONTENT_TYPE, "application/grpc")
            .header(http::header::TE, "trailers")
            .body(tonic::body::Body::new(body))?;
        let mut channel = known.channel().await?;
        let answer = tokio::time::timeout(PATIENCE, channel.ready().await?.call(request)).await??;
        if let Some(refused) = Status::from_header_map(answer.headers()) {
            return Ok(Err(refused));
        }
        let decoder = ProstCodec::<DeviceMessage, ServerMessage>::default().decoder();
        let (parts, body) = answer.into_parts();
        let hear = Streaming::new_response(decoder, body, parts.status, None, None);
        Ok(Ok(Self { frames, hear }))
    }

    async fn next(&mut self) -> Result<Option<ServerWord>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.hear.message()).await;
        let next = next.map_err(|_elapsed| Status::deadline_exceeded("the test waited too long"))??;
        Ok(next.and_then(|next| next.message))
    }

    async fn acknowledged(&mut self, sequence: u64) -> Result<()> {
        loop {
            let told = self.next().await?.context("the stream ended")?;
            if matches!(told, ServerWord::Acknowledged(acknowledged) if acknowledged.sequence >= sequence) {
                return Ok(());
            }
        }
    }

    /// Waits for the end and answers why it ended.
    async fn end(&mut self) -> Result<Status> {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => bail!("the stream ended without a reason"),
                Err(status) => return Ok(status),
            }
        }
    }
}

#[tokio::test]
async fn a_message_over_32_kb_ends_its_own_session_with_the_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (bad, good) = (TestBox::enroll(&fixture, "bad").await?, TestBox::enroll(&fixture, "good").await?);
    let mut neighbour = good.open().await?;
    let mut link = RawLink::open(&bad, greeting()).await??;
    link.frames.send(batch_of(1, LINK_MESSAGE_MAX_BYTES)).await?;
    link.acknowledged(1).await.context("a message of 32 kB is good")?;
    link.frames.send(batch_of(2, LINK_MESSAGE_MAX_BYTES + 1)).await?;
    check(&link.end().await?, "one byte more");
    until_noted(&fixture, &bad.device_id, 1).await?;

    // An agent's own client is told the same.
    let mut session = bad.open().await?;
    let long = Hello { capabilities: vec!["x".repeat(40_000)], ..hello() };
    session.send(DeviceWord::Hello(Box::new(long.clone()))).await?;
    check(&session.end().await?, "a long hello in a session");
    until_noted(&fixture, &bad.device_id, 2).await?;
    let first = frame(&word(DeviceWord::Hello(Box::new(long))).encode_to_vec());
    let refused = RawLink::open(&bad, first).await?.err().context("it is refused")?;
    check(&refused, "a long hello at first");

    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_frame_that_is_none_ends_its_own_session_with_the_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (bad, good) = (TestBox::enroll(&fixture, "bad").await?, TestBox::enroll(&fixture, "good").await?);
    let mut neighbour = good.open().await?;
    let over_the_limit = u32::try_from(LINK_MESSAGE_MAX_BYTES + 1)?.to_be_bytes();
    let cases: [(&str, Bytes); 8] = [
        ("a flag that is none", vec![2, 0, 0, 0, 0].into()),
        ("compressed, by no known method", vec![1, 0, 0, 0, 1, 0].into()),
        // Only the head of it: what follows is not waited for.
        ("a length over the limit", [&[0], over_the_limit.as_slice()].concat().into()),
        ("the longest length", vec![0, 0xff, 0xff, 0xff, 0xff].into()),
        ("a message that is cut off", frame(&[0x0a, 0x7f, 1])),
        ("bytes that are no message", frame(&[0xff; 64])),
        ("a heartbeat that is a number", frame(&[0x10, 1])),
        ("a name that is no text", frame(&[0x0a, 3, 0x12, 1, 0xff])),
    ];
    let garbage = async {
        for (count, (what, garbage)) in (1..).zip(cases) {
            let mut link = RawLink::open(&bad, greeting()).await??;
            link.frames.send(garbage.clone()).await?;
            check(&link.end().await.context(what)?, what);
            until_noted(&fixture, &bad.device_id, count).await.context(what)?;
            let refused = RawLink::open(&bad, garbage).await?.err().context(what)?;
            check(&refused, what);
        }
        anyhow::Ok(())
    };
    neighbour.live_through(garbage).await??;
    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_frame_that_never_ends_is_ended_by_silence() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut link = RawLink::open(&known, greeting()).await??;
    // A box that says heartbeats byte by byte, and stops in the middle of one.
    link.frames.send(vec![0, 0, 0, 0, 4, 0x12].into()).await?;
    let status = link.end().await?;
    assert!(status.message().starts_with(ReasonCode::LinkTimeout.code()), "{status:?}");
    fixture.stop().await
}
