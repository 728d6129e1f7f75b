//! A box as the server sees it, and its link.

use super::{Fixture, PATIENCE, device_channel, device_channel_by, enroll, learn_roots};
use anyhow::{Context, Result};
use kaliun_proto::enrollment::v1::enroll_response::{Issued, Step as Answer};
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::link_service_client::LinkServiceClient;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{
    CertificateRequest, DeviceMessage, Heartbeat, Hello, ItemClass, SampleBatch, ServerMessage, SpoolPosition, Welcome,
};
use kaliun_proto::telemetry::v1::{Health, HealthVerdict, Metric, Sample, SampleValues};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// A box as seen from outside: a key, and maybe a certificate.
pub(crate) struct TestBox {
    pub(crate) key: KeyPair,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) device_id: String,
    pub(crate) address: SocketAddr,
}

impl TestBox {
    /// Enrols by join token.
    pub(crate) async fn enroll(fixture: &Fixture, hostname: &str) -> Result<Self> {
        let token = fixture.join_token().await?;
        Self::enroll_by(fixture, &token, hostname).await
    }

    /// Enrols by a certain join token.
    pub(crate) async fn enroll_by(fixture: &Fixture, token: &str, hostname: &str) -> Result<Self> {
        let roots = learn_roots(fixture).await?;
        let key = KeyPair::generate()?;
        match enroll(fixture, &roots, &key, token, hostname, async |_| {}).await? {
            Answer::Issued(issued) => Ok(Self::from_issued(fixture, key, roots, issued)),
            other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Refused(_)) => {
                anyhow::bail!("not issued: {other:?}")
            }
        }
    }

    pub(crate) fn from_issued(
        fixture: &Fixture,
        key: KeyPair,
        roots: Vec<CertificateDer<'static>>,
        issued: Issued,
    ) -> Self {
        let chain = issued.certificate_chain.into_iter().map(CertificateDer::from).collect();
        Self { key, roots, chain, device_id: issued.device_id, address: fixture.device_address() }
    }

    /// The same box once more.
    pub(crate) fn copy(&self) -> Result<Self> {
        Ok(Self {
            key: KeyPair::try_from(self.key.serialize_der())?,
            roots: self.roots.clone(),
            chain: self.chain.clone(),
            device_id: self.device_id.clone(),
            address: self.address,
        })
    }

    pub(crate) async fn channel(&self) -> Result<Channel> {
        device_channel(self.address, &self.roots, Some((self.chain.clone(), &self.key))).await
    }

    /// A channel over which the server may send only some bytes of a stream before the box reads them.
    pub(crate) async fn narrow_channel(&self, bytes: u32) -> Result<Channel> {
        let endpoint = Endpoint::from_static("http://localhost").initial_stream_window_size(bytes);
        let address = self.address;
        device_channel_by(
            endpoint,
            move || TcpStream::connect(address),
            &self.roots,
            Some((self.chain.clone(), &self.key)),
        )
        .await
    }

    /// Opens a link and says hello.
    pub(crate) async fn open(&self) -> Result<Session> {
        self.open_over(self.channel().await?).await
    }

    /// Opens a link over a channel.
    pub(crate) async fn open_over(&self, channel: Channel) -> Result<Session> {
        open_with(channel, hello()).await
    }

    /// Opens a link after another boot than usual.
    pub(crate) async fn open_after_boot(&self, boot_id: &str) -> Result<Session> {
        open_with(self.channel().await?, Hello { boot_id: boot_id.to_owned(), ..hello() }).await
    }

    /// Tries to open a link that must be refused.
    pub(crate) async fn refusal(&self) -> Result<Status> {
        refusal(self.channel().await?).await
    }
}

/// Opens a link with a hello.
pub(crate) async fn open_with(channel: Channel, hello: Hello) -> Result<Session> {
    let (say, outbound) = mpsc::channel(16);
    say.send(word(DeviceWord::Hello(Box::new(hello)))).await?;
    let opened = LinkServiceClient::new(channel).open_link(ReceiverStream::new(outbound)).await;
    let mut session = Session { say, hear: opened?.into_inner(), welcome: Welcome::default() };
    let ServerWord::Welcome(welcome) = session.next().await? else { anyhow::bail!("expected a welcome") };
    session.welcome = welcome;
    Ok(session)
}

/// Tries to open a link that must be refused.
pub(crate) async fn refusal(channel: Channel) -> Result<Status> {
    let (say, outbound) = mpsc::channel(16);
    say.send(word(DeviceWord::Hello(Box::new(hello())))).await?;
    match LinkServiceClient::new(channel).open_link(ReceiverStream::new(outbound)).await {
        Ok(_) => anyhow::bail!("the link was opened"),
        Err(status) => Ok(status),
    }
}

/// A live link.
pub(crate) struct Session {
    pub(crate) say: mpsc::Sender<DeviceMessage>,
    pub(crate) hear: Streaming<ServerMessage>,
    pub(crate) welcome: Welcome,
}

impl Session {
    pub(crate) async fn next(&mut self) -> Result<ServerWord> {
        let message = tokio::time::timeout(PATIENCE, self.hear.message()).await??.context("the stream ended")?;
        message.message.context("a message")
    }

    pub(crate) async fn send(&self, message: DeviceWord) -> Result<()> {
        Ok(self.say.send(word(message)).await?)
    }

    /// Waits until samples up to a sequence are acknowledged.
    pub(crate) async fn acknowledged(&mut self, sequence: u64) -> Result<()> {
        self.stored(ItemClass::Samples, sequence).await
    }

    /// Waits until items of a class up to a sequence are acknowledged.
    pub(crate) async fn stored(&mut self, item_class: ItemClass, sequence: u64) -> Result<()> {
        loop {
            if let ServerWord::Acknowledged(acknowledged) = self.next().await?
                && acknowledged.item_class() == item_class
                && acknowledged.sequence >= sequence
            {
                return Ok(());
            }
        }
    }

    /// Answers each heartbeat with one, so that the session lives while something else is done.
    pub(crate) async fn live_through<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                heard = self.next() => {
                    if matches!(heard?, ServerWord::Heartbeat(_)) {
                        self.send(DeviceWord::Heartbeat(Heartbeat { now_ms: 0 })).await?;
                    }
                }
            }
        }
    }

    /// Asks for the next certificate and waits for it, among whatever else the server says.
    pub(crate) async fn renew(&mut self, key: &KeyPair) -> Result<Vec<CertificateDer<'static>>> {
        self.send(certificate_request(key)?).await?;
        loop {
            if let ServerWord::Certificate(certificate) = self.next().await? {
                return Ok(certificate.certificate_chain.into_iter().map(CertificateDer::from).collect());
            }
        }
    }

    /// Waits for the end of the session and answers why it ended.
    pub(crate) async fn end(&mut self) -> Result<Status> {
        loop {
            match tokio::time::timeout(PATIENCE, self.hear.message()).await? {
                Ok(Some(_)) => {}
                Ok(None) => anyhow::bail!("the stream ended without a reason"),
                Err(status) => return Ok(status),
            }
        }
    }
}

/// What asks for the next certificate.
pub(crate) fn certificate_request(key: &KeyPair) -> Result<DeviceWord> {
    let certificate_request = CertificateParams::default().serialize_request(key)?.der().to_vec();
    Ok(DeviceWord::CertificateRequest(CertificateRequest { certificate_request }))
}

pub(crate) fn word(message: DeviceWord) -> DeviceMessage {
    DeviceMessage { message: Some(message) }
}

pub(crate) const SPOOL: [u8; 16] = [7; 16];

pub(crate) fn hello() -> Hello {
    Hello {
        protocol: 1,
        agent_version: "test".to_owned(),
        boot_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned(),
        spools: vec![SpoolPosition {
            item_class: ItemClass::Samples.into(),
            spool_id: SPOOL.to_vec(),
            ..SpoolPosition::default()
        }],
        ..Hello::default()
    }
}

/// A batch of samples that are all well.
pub(crate) fn samples(first_sequence: u64, count: usize) -> SampleBatch {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let sample = Sample {
        sampled_at_ms: i64::try_from(now.as_millis()).unwrap_or(0),
        values: Some(SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.25] }),
        health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: Vec::new() }),
    };
    SampleBatch { spool_id: SPOOL.to_vec(), first_sequence, samples: vec![sample; count] }
}
