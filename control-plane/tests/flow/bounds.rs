//! What one source, or one box, can take of a server before and after it is known.

use crate::support::{
    Fixture, PATIENCE, TestBox, enroll, learn_roots, samples, secure_stream, secure_stream_from, with_token,
};
use anyhow::{Context as _, Result, ensure};
use hyper_util::rt::TokioIo;
use kaliun_proto::enrollment::v1::GetTrustBundleRequest;
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::{Heartbeat, SettingsApplied};
use kaliun_types::reason::ReasonCode;
use rcgen::KeyPair;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;
use tonic::transport::{Endpoint, Uri};

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
    // On a machine so busy that the stalled ones run out of time meanwhile nothing is shown; then once more.
    for _ in 0..5 {
        let mut stalled = Vec::new();
        for _ in 0..400 {
            stalled.push(connect_from_elsewhere(fixture.device_address()).await?);
        }
        let known = TestBox::enroll(&fixture, "cellar").await?;
        let mut session = known.open().await?;
        session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
        session.acknowledged(1).await?;
        // So nobody waited for a stalled one to run out of time.
        if stalled.iter().all(is_open) {
            ended(stalled.first_mut().context("a stalled connection")?).await?;
            return fixture.stop().await;
        }
    }
    anyhow::bail!("a box only gets in when stalled handshakes have run out of time")
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

/// A box whose line broke comes back before the server can know, and must not find itself locked out.
#[tokio::test]
async fn of_a_device_s_connections_the_oldest_gives_way() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let neighbour = TestBox::enroll(&fixture, "attic").await?;
    let identity = || Some((known.chain.clone(), &known.key));
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(secure_stream(known.address, &known.roots, identity()).await?);
    }
    let mut neighbours = neighbour.open().await?;
    let mut session = known.open().await?;
    // Not for idleness: that takes as long for the next one, which has a part of its time left.
    ended(held.first_mut().context("the oldest")?).await?;
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    let second = held.get_mut(1).context("the second")?;
    let mut heard = [0; 64];
    // What the server says of itself, and then nothing, not even an end.
    while let Ok(length) = tokio::time::timeout(Duration::from_millis(50), second.read(&mut heard)).await {
        ensure!(length? > 0, "the second had to go too");
    }
    neighbours.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbours.acknowledged(1).await?;
    fixture.stop().await
}

/// One measurement of the server, as it stands in /metrics.
async fn measured(fixture: &Fixture, name: &str) -> Result<String> {
    let mut stream = TcpStream::connect(fixture.server.addresses().internal).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.with_context(|| format!("there is no {name}"))?.trim().to_owned())
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_left_to_do_is_ended() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let channel = known.channel().await?;
    EnrollmentServiceClient::new(channel.clone()).get_trust_bundle(GetTrustBundleRequest::default()).await?;
    assert_ne!(measured(&fixture, "kaliun_device_connections").await?, "0");
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let over = async {
        while measured(&fixture, "kaliun_device_connections").await? != "0" {
            ticks.tick().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(2 * PATIENCE, over).await.context("it stays for ever")??;
    // Kept until here: it is the server that ended the connection.
    drop(channel);
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
    assert!((10..=20).contains(&turned_away), "250 of one source may stay, {turned_away} of 260 were sent away");
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
        // More than may come at once, and less than HTTP/2 itself takes for an attack.
        let mut session = bad.open().await?;
        for _ in 0..64 {
            // The channel closes when the server has ended the session.
            if session.say.send(crate::support::word(flood.clone())).await.is_err() {
                break;
            }
        }
        let status = session.end().await?;
        assert_eq!(status.message().split(':').next(), Some(ReasonCode::LinkProtocolError.code()), "{status:?}");

        // As fast as it goes. HTTP/2 may end the connection before the session does.
        let mut session = bad.open().await?;
        let say = session.say.clone();
        let flooding = async { while say.send(crate::support::word(flood.clone())).await.is_ok() {} };
        let (ended, ()) = tokio::join!(session.end(), flooding);
        ended?;
    }
    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

/// A box whose line breaks all the time is slowed down, not shut out, and no other box with it.
#[tokio::test]
async fn a_box_opens_so_many_sessions_and_then_waits() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (bad, good) = (TestBox::enroll(&fixture, "bad").await?, TestBox::enroll(&fixture, "good").await?);
    let channel = bad.channel().await?;
    let mut opened = 0;
    let refused = loop {
        match bad.open_over(channel.clone()).await {
            Ok(session) => drop(session),
            Err(error) => break error,
        }
        opened += 1;
        ensure!(opened < 100, "nothing slows it down");
    };
    assert!(opened >= 20, "{opened}");
    let status = refused.downcast_ref::<tonic::Status>().context("a status")?;
    assert!(status.message().starts_with(ReasonCode::LinkBusy.code()), "{status:?}");
    let wait: u64 = status.metadata().get("retry-after-ms").context("says when to come back")?.to_str()?.parse()?;
    assert!((1..=10_000).contains(&wait), "{wait}");
    good.open().await?;
    fixture.stop().await
}

/// Somebody's script with an old token keeps its own share busy and nobody else's.
#[tokio::test]
async fn wrong_tokens_are_refused_and_hold_nobody_up() -> Result<()> {
    let fixture = Fixture::start().await?;
    let address = fixture.server.addresses().public;
    let connect = tower::service_fn(move |_uri: Uri| async move {
        let stream = connect_from_elsewhere(address).await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(TokioIo::new(stream))
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connect).await?;
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
