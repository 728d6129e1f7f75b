use crate::boxed::{RunningBox, config};
use crate::double::{Attempt, Double};
use crate::within;
use kaliun_edge::agent_state::{AgentState, LinkState};
use kaliun_proto::link::v1::device_message::Message as FromBox;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{
    Acknowledged, DeviceMessage, Drain, Hello, ItemClass, SampleBatch, SendFacts, ServerMessage, Welcome,
};
use kaliun_proto::telemetry::v1::Metric;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Status, Streaming};

/// The server's side of one session, step by step.
pub(crate) struct Session {
    pub(crate) hello: Hello,
    inbound: Streaming<DeviceMessage>,
    outbound: mpsc::Sender<Result<ServerMessage, Status>>,
}

pub(crate) fn welcome(session_epoch: u64) -> Welcome {
    Welcome { protocol: 1, session_epoch, heartbeat_interval_ms: 1_000, idle_timeout_ms: 10_000, ..Welcome::default() }
}

impl Session {
    pub(crate) async fn hear(attempt: Attempt) -> Self {
        let (mut inbound, outbound) = attempt.accept();
        let first = within(inbound.message()).await.unwrap().unwrap();
        let Some(FromBox::Hello(hello)) = first.message else { panic!("{first:?}") };
        Self { hello: *hello, inbound, outbound }
    }

    pub(crate) async fn open(double: &mut Double, welcome: Welcome) -> Self {
        let session = Self::hear(double.attempt().await).await;
        session.say(ToBox::Welcome(welcome)).await;
        session
    }

    pub(crate) async fn say(&self, message: ToBox) {
        self.outbound.send(Ok(ServerMessage { message: Some(message) })).await.unwrap();
    }

    pub(crate) async fn end(self, status: Status) {
        self.outbound.send(Err(status)).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> FromBox {
        within(self.inbound.message()).await.unwrap().unwrap().message.unwrap()
    }

    pub(crate) async fn next_samples(&mut self) -> SampleBatch {
        loop {
            if let FromBox::SampleBatch(batch) = self.next().await {
                return batch;
            }
        }
    }

    pub(crate) async fn acknowledge(&self, batch: &SampleBatch, sequence: u64, credit_bytes: u32) {
        self.say(ToBox::Acknowledged(acknowledged(batch, sequence, credit_bytes))).await;
    }
}

fn acknowledged(batch: &SampleBatch, sequence: u64, credit_bytes: u32) -> Acknowledged {
    let item_class = ItemClass::Samples.into();
    Acknowledged { item_class, spool_id: batch.spool_id.clone(), sequence, credit_bytes }
}

fn last(batch: &SampleBatch) -> u64 {
    batch.first_sequence + batch.samples.len() as u64 - 1
}

pub(crate) fn offline_for(reason: &str) -> impl Fn(&AgentState) -> bool {
    move |state| matches!(&state.link, LinkState::Offline { reason: now, .. } if now == reason)
}

#[tokio::test]
async fn samples_of_this_machine_arrive_and_are_forgotten_when_stored() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut session = Session::open(&mut double, Welcome { send_facts: true, ..welcome(7) }).await;
    assert_eq!(session.hello.protocol, 1);
    assert_eq!(session.hello.boot_id.len(), 36);
    assert_eq!(session.hello.spools.len(), 2);
    let FromBox::FactsReport(report) = session.next().await else { panic!("facts go first") };
    assert_eq!(report.hash, session.hello.facts_hash);
    assert!(report.facts.unwrap().cpu_count >= 1);
    let FromBox::EventBatch(events) = session.next().await else { panic!("events go before samples") };
    assert_eq!(events.events[0].code, "agent.started");

    let batch = session.next_samples().await;
    assert_eq!(batch.first_sequence, 1);
    let values = batch.samples[0].values.clone().unwrap();
    for metric in [Metric::MemoryTotalBytes, Metric::DiskAvailableBytes, Metric::UptimeSeconds] {
        let index = values.metrics.iter().position(|known| *known == metric as i32).unwrap();
        assert!(values.values[index] > 0.0, "{metric:?}");
    }
    session.acknowledge(&batch, last(&batch), 0).await;
    let state = running.until("stored", |state| state.samples.acknowledged == last(&batch)).await;
    assert_eq!(state.online_epoch(), Some(7));

    session.say(ToBox::SendFacts(SendFacts {})).await;
    while !matches!(session.next().await, FromBox::FactsReport(_)) {}
    running.stop().await.unwrap();
    // An orderly end is seen as one.
    while within(session.inbound.message()).await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_dropped_stream_goes_on_behind_what_was_stored() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut session = Session::open(&mut double, welcome(1)).await;
    let mut seen = Vec::new();
    let mut newest = session.next_samples().await;
    while last(&newest) < 6 {
        seen.extend(newest.samples);
        newest = session.next_samples().await;
    }
    // Stored up to 3, but the word of it is lost with the stream.
    drop(session);
    let stored = vec![acknowledged(&newest, 3, 64 * 1024)];
    let mut session = Session::open(&mut double, Welcome { stored, ..welcome(2) }).await;
    let spool = session.hello.spools.iter().find(|spool| spool.item_class == ItemClass::Samples as i32).unwrap();
    assert_eq!((spool.first_sequence, &spool.spool_id), (1, &newest.spool_id));
    let batch = session.next_samples().await;
    assert_eq!(batch.first_sequence, 4);
    assert_eq!(batch.samples[0], seen[3]);
    running.until("stored", |state| state.samples.acknowledged == 3).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_agent_repeats_nothing_and_loses_nothing() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut session = Session::open(&mut double, welcome(1)).await;
    let mut all = Vec::new();
    while all.len() < 5 {
        let batch = session.next_samples().await;
        assert_eq!(batch.first_sequence, all.len() as u64 + 1);
        all.extend(batch.samples);
    }
    let batch_of_three = SampleBatch { spool_id: session.hello.spools[1].spool_id.clone(), ..SampleBatch::default() };
    session.acknowledge(&batch_of_three, 3, 0).await;
    running.until("stored", |state| state.samples.acknowledged == 3).await;
    running.kill().await;

    let running = RunningBox::start(folder.path(), config(&double));
    let stored = vec![acknowledged(&batch_of_three, 3, 64 * 1024)];
    let mut session = Session::open(&mut double, Welcome { stored, ..welcome(2) }).await;
    let mut next = 4;
    while next < 12 {
        let batch = session.next_samples().await;
        assert_eq!(batch.first_sequence, next);
        for sample in &batch.samples {
            if let Some(before) = all.get(usize::try_from(next).unwrap() - 1) {
                assert_eq!(sample, before);
            }
            next += 1;
        }
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn without_credit_nothing_is_sent() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::hear(double.attempt().await).await;
    let spool_id = session.hello.spools[1].spool_id.clone();
    let stored = vec![Acknowledged { item_class: ItemClass::Samples.into(), spool_id, sequence: 0, credit_bytes: 0 }];
    session.say(ToBox::Welcome(Welcome { stored, ..welcome(1) })).await;
    let mut session = session;
    running.until("five that wait", |state| state.samples.pending >= 5).await;
    // Until credit comes only events and heartbeats do.
    let mut heartbeats = 0;
    while heartbeats < 2 {
        let message = session.next().await;
        assert!(matches!(message, FromBox::Heartbeat(_) | FromBox::EventBatch(_)), "{message:?}");
        heartbeats += u32::from(matches!(message, FromBox::Heartbeat(_)));
    }
    let batch = SampleBatch { spool_id: session.hello.spools[1].spool_id.clone(), ..SampleBatch::default() };
    session.acknowledge(&batch, 0, 1_000).await;
    let batch = session.next_samples().await;
    assert_eq!(batch.first_sequence, 1);
    let sent = DeviceMessage { message: Some(FromBox::SampleBatch(batch)) };
    assert!(prost::Message::encoded_len(&sent) <= 1_000);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_drained_box_comes_back_when_it_was_told_to() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::open(&mut double, welcome(1)).await;
    session.say(ToBox::Drain(Drain { reconnect_after_ms: 2_000 })).await;
    let drained_at = Instant::now();
    running.until("drained", offline_for("link.server_stopped")).await;
    let _session = Session::open(&mut double, welcome(2)).await;
    let away = drained_at.elapsed();
    assert!(away >= Duration::from_millis(1_950) && away < Duration::from_secs(10), "{away:?}");
    running.until("online", |state| state.online_epoch() == Some(2)).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn silence_ends_the_session() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let _silent = Session::open(&mut double, Welcome { idle_timeout_ms: 2_000, ..welcome(1) }).await;
    running.until("a timeout", offline_for("link.timeout")).await;
    let _session = Session::open(&mut double, welcome(2)).await;
    running.until("online", |state| state.online_epoch() == Some(2)).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_authority_is_followed_by_its_signed_bundle() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::open(&mut double, welcome(1)).await;
    running.until("online", |state| state.online_epoch() == Some(1)).await;
    let make_known = double.change_authority();
    drop(session);
    running.until("distrust", offline_for("peer.server_untrusted")).await;
    make_known();
    let _session = Session::open(&mut double, welcome(2)).await;
    running.until("online", |state| state.online_epoch() == Some(2)).await;
    running.stop().await.unwrap();
}
