//! A box on our own link, with nothing to report.

use crate::rpc;
use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{SHA256, digest};
use hyper::client::conn::http2::SendRequest;
use kaliun_proto::link::v1::device_message::Message;
use kaliun_proto::link::v1::server_message::Message as ServerMessage;
use kaliun_proto::link::v1::{DeviceMessage, Heartbeat, Hello, SampleBatch, ServerMessage as Answer, SettingsApplied};
use kaliun_proto::telemetry::v1::{Facts, Health, HealthVerdict, Metric, Sample, SampleValues};
use prost::Message as _;
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// What a device of this benchmark says of itself.
pub(crate) fn facts(number: usize) -> Facts {
    Facts {
        hostname: format!("bench-{number}"),
        operating_system: "none".to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        cpu_count: 1,
        simulated: true,
        ..Facts::default()
    }
}

/// The session of a box.
pub(crate) struct Session {
    outbound: mpsc::Sender<DeviceMessage>,
    inbound: Streaming<Answer>,
}

impl Session {
    /// Says hello and waits for the welcome.
    pub(super) async fn begin(sender: SendRequest<tonic::body::Body>, number: usize) -> anyhow::Result<Self> {
        let (outbound, messages) = mpsc::channel(4);
        let hello = Hello {
            protocol: 1,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id(number),
            facts_hash: digest(&SHA256, &facts(number).encode_to_vec()).as_ref().to_vec(),
            now_ms: now_ms(),
            ..Hello::default()
        };
        outbound.send(message(Message::Hello(Box::new(hello)))).await?;
        let path = "/kaliun.link.v1.LinkService/OpenLink";
        let mut inbound = rpc::stream(sender, path, ReceiverStream::new(messages)).await?;
        let first: Answer = rpc::next(&mut inbound).await?;
        let Some(ServerMessage::Welcome(_)) = first.message else { bail!("the first answer is no welcome") };
        Ok(Self { outbound, inbound })
    }

    /// Sends heartbeats and reads what comes.
    pub(super) async fn hold(mut self, mut heartbeats: Interval) -> anyhow::Result<Infallible> {
        loop {
            tokio::select! {
                answer = rpc::next(&mut self.inbound) => {
                    if let Some(ServerMessage::Settings(settings)) = answer?.message {
                        let applied = SettingsApplied {
                            generation: settings.generation,
                            hash: settings.hash,
                            failure: None,
                        };
                        self.send(Message::SettingsApplied(applied)).await?;
                    }
                }
                _ = heartbeats.tick() => self.send(Message::Heartbeat(Heartbeat { now_ms: now_ms() })).await?,
            }
        }
    }

    /// Sends one sample and waits until it is stored.
    pub(crate) async fn report(&mut self, spool_id: &[u8], sequence: u64) -> anyhow::Result<()> {
        let sample = Sample {
            sampled_at_ms: now_ms(),
            values: Some(SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.5] }),
            health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: Vec::new() }),
        };
        let batch = SampleBatch { spool_id: spool_id.to_vec(), first_sequence: sequence, samples: vec![sample] };
        self.send(Message::SampleBatch(batch)).await?;
        loop {
            if let Some(ServerMessage::Acknowledged(stored)) = rpc::next(&mut self.inbound).await?.message
                && stored.spool_id == spool_id
                && stored.sequence >= sequence
            {
                return Ok(());
            }
        }
    }

    async fn send(&self, content: Message) -> anyhow::Result<()> {
        self.outbound.send(message(content)).await.context("the stream broke")
    }
}

fn message(content: Message) -> DeviceMessage {
    DeviceMessage { message: Some(content) }
}

/// A UUID of version 4 in form; the same in each session of this device, as of a box that was not rebooted.
fn boot_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
