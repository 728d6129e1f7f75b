use super::*;
use crate::clock::now_ms;
use crate::identity::{DeviceRecord, FileKeyStore, record};
use crate::journal::JournalLimits;
use crate::state_dir::Durability;
use crate::trust::tests::chain;
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use kaliun_proto::link::v1::device_message::Message as Outgoing;
use kaliun_proto::link::v1::{Heartbeat, SendFacts};
use kaliun_proto::telemetry::v1::Facts;
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{DecodeBuf, Decoder};
use tonic::{Status, Streaming};

const SECOND: Duration = Duration::from_secs(1);
const HOUR_MS: i64 = 3_600_000;

/// Heartbeats so often leave the least room beside them.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(2_500);

/// What a server allows of messages that cost no credit: 16 at once and one more each 2 s.
struct Allowance {
    left: f64,
    counted_at: Instant,
}

impl Allowance {
    fn full() -> Self {
        Self { left: 16.0, counted_at: Instant::now() }
    }

    fn take(&mut self) {
        let now = Instant::now();
        self.left = (self.left + (now - self.counted_at).as_secs_f64() / 2.0).min(16.0) - 1.0;
        self.counted_at = now;
        assert!(self.left >= 0.0, "the server would have ended the session");
    }
}

struct PlainDecoder;

impl Decoder for PlainDecoder {
    type Item = ServerMessage;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<ServerMessage>, Status> {
        ServerMessage::decode(source).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// The server's side of a session without a network.
struct Server {
    say: mpsc::Sender<Bytes>,
    hear: mpsc::Receiver<Box<DeviceMessage>>,
}

impl Server {
    fn halves() -> (Self, mpsc::Sender<Box<DeviceMessage>>, Streaming<ServerMessage>) {
        let (say, said) = mpsc::channel(16);
        let (outgoing, hear) = mpsc::channel(1);
        let body = StreamBody::new(ReceiverStream::new(said).map(|bytes| Ok::<_, Status>(Frame::data(bytes))));
        let incoming = Streaming::new_response(PlainDecoder, body, http::StatusCode::OK, None, None);
        (Self { say, hear }, outgoing, incoming)
    }

    async fn say(&self, message: Incoming) {
        let message = ServerMessage { message: Some(message) }.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        self.say.send([&[0], length.as_slice(), &message].concat().into()).await.unwrap();
    }
}

fn hostname(text: String) -> Facts {
    Facts { hostname: text, ..Facts::default() }
}

/// Runs a session beside a script for its server, until the script ends.
async fn with_session<T>(script: impl AsyncFnOnce(&Journal, Server) -> T) -> T {
    with_session_of(None, script).await
}

/// The same for a box with a certificate.
async fn with_session_of<T>(record: Option<DeviceRecord>, script: impl AsyncFnOnce(&Journal, Server) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let journal = Journal::open(&state, JournalLimits::default(), "boot", Facts::default()).unwrap();
    let welcome = Welcome {
        heartbeat_interval_ms: u32::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap(),
        idle_timeout_ms: u32::MAX,
        ..Welcome::default()
    };
    let (server, outgoing, mut incoming) = Server::halves();
    let mut outbox = Outbox::begin(&journal, &welcome, journal.facts_hash(), Instant::now()).unwrap();
    let mut settings = HeldSettings::default();
    let mut identity = Identity::load_or_create(&FileKeyStore, &state).unwrap();
    identity.record = record;
    let mut trust = chain(1);
    let mut session = Session {
        journal: &journal,
        state: &state,
        settings: &mut settings,
        identity: &mut identity,
        trust: &mut trust,
        clock: &Clock::default(),
        on_change: |_| {},
    };
    let stop = CancellationToken::new();
    tokio::select! {
        ended = session.exchange(&outgoing, &mut incoming, &mut outbox, &welcome, &stop) => panic!("it ended: {ended:?}"),
        result = script(&journal, server) => result,
    }
}

#[tokio::test(start_paused = true)]
async fn facts_that_flap_stay_within_what_a_server_allows() {
    with_session(async |journal, mut server| {
        let mut allowance = Allowance::full();
        let (mut heartbeats, mut newest_told) = (0, Vec::new());
        // Ends between two reports, so that which of two things happens first at one moment does not matter.
        let until = Instant::now() + 605 * SECOND;
        let mut flaps = tokio::time::interval(SECOND);
        while Instant::now() < until {
            tokio::select! {
                _ = flaps.tick() => {
                    journal.set_facts(hostname(format!("{:?}", Instant::now())));
                }
                heard = server.hear.recv() => {
                    allowance.take();
                    match heard.unwrap().message.unwrap() {
                        Outgoing::Heartbeat(_) => heartbeats += 1,
                        Outgoing::FactsReport(report) => newest_told.push((Instant::now(), report.hash)),
                        other @ (Outgoing::Hello(_)
                        | Outgoing::SampleBatch(_)
                        | Outgoing::EventBatch(_)
                        | Outgoing::SettingsApplied(_)
                        | Outgoing::CertificateRequest(_)
                        | Outgoing::TrustHeld(_)) => panic!("{other:?}"),
                    }
                }
            }
        }
        assert!((60..=62).contains(&newest_told.len()), "{} in ten minutes", newest_told.len());
        assert!(heartbeats > 100, "{heartbeats}");
        // The last change is told without another one to wake the session.
        let newest = journal.facts_hash().to_vec();
        let told_at = loop {
            if let Some(Outgoing::FactsReport(report)) = server.hear.recv().await.unwrap().message
                && report.hash == newest
            {
                break Instant::now();
            }
        };
        let before = newest_told.last().map(|(at, _)| *at);
        assert_eq!(before.map(|before| told_at - before), Some(10 * SECOND));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_over_and_over_is_answered_within_what_it_allows() {
    with_session(async |journal, mut server| {
        let mut allowance = Allowance::full();
        let mut reports = 0;
        let until = Instant::now() + 300 * SECOND;
        let mut questions = tokio::time::interval(SECOND / 4);
        while Instant::now() < until {
            tokio::select! {
                _ = questions.tick() => {
                    server.say(Incoming::Heartbeat(Heartbeat { now_ms: 0 })).await;
                    server.say(Incoming::SendFacts(SendFacts {})).await;
                }
                heard = server.hear.recv() => {
                    allowance.take();
                    reports += usize::from(matches!(heard.unwrap().message, Some(Outgoing::FactsReport(_))));
                }
            }
        }
        assert!((36..=39).contains(&reports), "{reports}: eight, and one each 10 s");
        assert_eq!(journal.facts().facts, Facts::default());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_box_asks_for_its_next_certificate_when_it_is_time_and_again_when_it_does_not_come() {
    let requests_in = async |server: &mut Server, time: Duration| {
        let (until, mut requests) = (Instant::now() + time, Vec::new());
        while let Ok(heard) = tokio::time::timeout_at(until, server.hear.recv()).await {
            if let Some(Outgoing::CertificateRequest(request)) = heard.unwrap().message {
                requests.push(request.certificate_request);
            }
        }
        requests
    };
    let due = record(1, now_ms() - 70 * HOUR_MS, now_ms() + 30 * HOUR_MS);
    let requests =
        with_session_of(Some(due), async |_, mut server| requests_in(&mut server, 1_500 * SECOND).await).await;
    assert_eq!(requests.len(), 3, "at once, and each ten minutes");
    assert!(requests.iter().all(|der| !der.is_empty()));
    let young = record(1, now_ms() - HOUR_MS, now_ms() + 99 * HOUR_MS);
    let requests =
        with_session_of(Some(young), async |_, mut server| requests_in(&mut server, 7_200 * SECOND).await).await;
    assert_eq!(requests.len(), 0);
}

#[tokio::test]
async fn a_certificate_that_is_due_is_asked_for_in_real_time() {
    let due = record(1, now_ms() - 70 * HOUR_MS, now_ms() + 30 * HOUR_MS);
    let asked = with_session_of(Some(due), async |_, mut server| {
        loop {
            let heard = tokio::time::timeout(60 * SECOND, server.hear.recv()).await.expect("it asks").unwrap();
            if let Some(Outgoing::CertificateRequest(request)) = heard.message {
                return request;
            }
        }
    });
    assert!(!asked.await.certificate_request.is_empty());
}
