//! What one source, or one box, can take of a server before and after it is known.

use crate::support::{
    Fixture, PATIENCE, TestBox, enroll, learn_roots, samples, secure_stream, secure_stream_from, with_token,
};
use anyhow::{Context as _, Result, ensure};
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::{Heartbeat, SettingsApplied};
use kaliun_types::reason::ReasonCode;
use rcgen::KeyPair;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;

/// Another home than the one the tests' own boxes are in.
const OTHER_SOURCE: [u8; 4] = [127, 0, 0, 9];

/// Connects from another address than the tests' own boxes.
async fn connect_from_elsewhere(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((OTHER_SOURCE, 0)))?;
    Ok(socket.connect(address).await?)
}

/// Waits until the server has ended a connection. What it says before that does not matter.
async fn ended(stream: &mut (impl AsyncRead + Unpin)) -> Result<()> {
    let mut heard = [0; 1024];
    tokio::time::timeout(PATIENCE, async { while stream.read(&mut heard).await.is_ok_and(|length| length > 0) {} })
        .await
        .context("the server did not end the connection")
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// More handshakes than the server does at once, none of which goes on, from one address.
#[tokio::test]
async fn a_source_that_stalls_its_handshakes_keeps_nobody_else_out() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut stalled = Vec::new();
    for _ in 0..400 {
        stalled.push(connect_from_elsewhere(fixture.device_address()).await?);
    }
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    // So nobody waited for a stalled one to run out of time.
    ensure!(stalled.iter().all(is_open), "a stalled handshake had ended already");
    ended(stalled.first_mut().context("a stalled connection")?).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_ended_on_every_listener() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let addresses = fixture.server.addresses();
    let mut stranger = secure_stream(addresses.device, &known.roots, None).await?;
    let mut device = secure_stream(addresses.device, &known.roots, Some((known.chain.clone(), &known.key))).await?;
    let mut public = TcpStream::connect(addresses.public).await?;
    let mut internal = TcpStream::connect(addresses.internal).await?;
    let (stranger, device) = tokio::join!(ended(&mut stranger), ended(&mut device));
    stranger.context("a stranger")?;
    device.context("a device")?;
    ended(&mut public).await.context("the public listener")?;
    ended(&mut internal).await.context("the internal listener")?;
    fixture.stop().await
}

#[tokio::test]
async fn a_device_has_four_connections_and_no_more() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let neighbour = TestBox::enroll(&fixture, "attic").await?;
    let identity = || Some((known.chain.clone(), &known.key));
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(secure_stream(known.address, &known.roots, identity()).await?);
    }
    let mut fifth = secure_stream(known.address, &known.roots, identity()).await?;
    ended(&mut fifth).await?;
    neighbour.open().await.context("another device has places of its own")?;
    drop(held);
    // The places come back as the server notices that the connections are gone.
    let began = std::time::Instant::now();
    while known.open().await.is_err() {
        ensure!(began.elapsed() < PATIENCE, "the places did not come back");
    }
    fixture.stop().await
}

#[tokio::test]
async fn strangers_of_one_source_have_their_share() -> Result<()> {
    let fixture = Fixture::start().await?;
    let roots = learn_roots(&fixture).await?;
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..260 {
        let stream = connect_from_elsewhere(fixture.device_address()).await?;
        held.push(secure_stream_from(stream, &roots, None).await?);
    }
    for stream in &mut held {
        let mut heard = [0; 64];
        // One that may stay has said its HTTP/2 preface by now, or says it; the others end.
        match tokio::time::timeout(PATIENCE, stream.read(&mut heard)).await? {
            Ok(0) | Err(_) => turned_away += 1,
            Ok(_) => {}
        }
    }
    assert_eq!(turned_away, 10, "250 of one source may stay");
    let key = KeyPair::generate()?;
    let token = fixture.join_token().await?;
    let elsewhere = enroll(&fixture, &roots, &key, &token, "cellar", async |_| {}).await?;
    assert!(matches!(elsewhere, Answer::Issued(_)), "{elsewhere:?}");
    fixture.stop().await
}

#[tokio::test]
async fn messages_without_credit_are_counted() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (bad, good) = (TestBox::enroll(&fixture, "bad").await?, TestBox::enroll(&fixture, "good").await?);
    let mut neighbour = good.open().await?;
    for flood in
        [DeviceWord::Heartbeat(Heartbeat { now_ms: 0 }), DeviceWord::SettingsApplied(SettingsApplied::default())]
    {
        let mut session = bad.open().await?;
        let flooding = async {
            // The channel closes when the server has ended the session.
            while session.say.send(crate::support::word(flood.clone())).await.is_ok() {}
        };
        let say = session.say.clone();
        tokio::select! {
            () = flooding => {}
            () = say.closed() => {}
        }
        let status = session.end().await?;
        assert_eq!(status.message().split(':').next(), Some(ReasonCode::LinkProtocolError.code()), "{status:?}");
    }
    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

/// Somebody's script with an old token must not lock out the colleague beside it.
#[tokio::test]
async fn wrong_tokens_are_refused_and_lock_nobody_out() -> Result<()> {
    let fixture = Fixture::start().await?;
    let channel = fixture.public().await?;
    let mut wrong = tokio::task::JoinSet::new();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            for _ in 0..300 {
                let mut devices = fleet::device_service_client::DeviceServiceClient::new(channel.clone());
                wrong.spawn_local(async move {
                    let mut request = tonic::Request::new(fleet::ListDevicesRequest::default());
                    request.metadata_mut().insert("authorization", "Bearer kat1.wrong".parse()?);
                    anyhow::Ok(devices.list_devices(request).await.map(|_| ()).map_err(|status| status.code()))
                });
            }
            let listed = fixture.devices().await?.list_devices(with_token(fleet::ListDevicesRequest::default())).await;
            assert!(listed.is_ok(), "{listed:?}");
            while let Some(answer) = wrong.join_next().await {
                let answer = answer??;
                assert!(matches!(answer, Err(Code::Unauthenticated | Code::Unavailable)), "{answer:?}");
            }
            anyhow::Ok(())
        })
        .await?;
    fixture.stop().await
}
