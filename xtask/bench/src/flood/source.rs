//! Whoever floods: enrolments that come to nothing, each over a connection of its own, all from one address.
//!
//! A third are no signing requests at all, a third prove a key and bring a join token that nobody made, and a third prove a key, wait under
//! a claim code and go away. The process has the lowest priority: in the world it would be another machine.

use super::sign_ins;
use crate::connection;
use crate::enrollment::anybody;
use crate::rpc;
use crate::tasks::Tasks;
use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Step as Request};
use kaliun_proto::enrollment::v1::enroll_response::Step as Response;
use kaliun_proto::enrollment::v1::{EnrollRequest, EnrollResponse};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;

/// Where it comes from.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);
/// Enrolments under way at once. More than the server lets one source have connections.
const UNDER_WAY_MAX: usize = 512;
/// Keys, made before the flood begins.
const KEYS: usize = 32;
/// Longest an enrolment may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one waits under its code before it goes away.
const WAIT: Duration = Duration::from_secs(1);
const SIGNATURE_DOMAIN: &[u8] = b"kaliun enrollment v1\0";

/// What is flooded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Enrolments that come to nothing, from one address, at the device listener
    Enrollments,
    /// Sign-ins with wrong passwords, from many addresses, at the public listener
    SignIns,
}

impl Kind {
    /// As people read it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Enrollments => "enrolments",
            Self::SignIns => "sign-ins",
        }
    }

    /// As the program takes it.
    pub(super) const fn argument(self) -> &'static str {
        match self {
            Self::Enrollments => "enrollments",
            Self::SignIns => "sign-ins",
        }
    }
}

/// Whom, and how much.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    of: Kind,
    #[arg(long)]
    server: SocketAddr,
    #[arg(long)]
    per_minute: u32,
    #[arg(long)]
    seconds: u64,
}

/// What came of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Begun.
    pub(crate) sent: u64,
    /// Milliseconds from the first to the last.
    pub(crate) over_ms: u64,
    /// Answered with a refusal of the enrolment, or with a code.
    pub(crate) answered: u64,
    /// Told to come back later, before anything was read.
    pub(crate) put_off: u64,
    /// Closed without an answer.
    pub(crate) closed: u64,
    /// Not begun, for too many were under way.
    pub(crate) held_back: u64,
}

impl Counts {
    /// Takes in those of another turn.
    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.over_ms += other.over_ms;
        self.answered += other.answered;
        self.put_off += other.put_off;
        self.closed += other.closed;
        self.held_back += other.held_back;
    }
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    answered: AtomicU64,
    put_off: AtomicU64,
    closed: AtomicU64,
    held_back: AtomicU64,
}

/// A key with its signing request.
struct Prepared {
    key: KeyPair,
    request: Vec<u8>,
}

/// How one ended.
pub(super) enum Ended {
    Answered,
    PutOff,
    Closed,
}

/// Floods for a while and prints what came of it as one JSON object.
pub(crate) async fn flood(arguments: &Arguments) -> anyhow::Result<()> {
    // Its own work must not be what the honest boxes notice. A kernel that refuses is no reason not to measure.
    let _refused = rustix::process::nice(19);
    let prepared: Vec<Arc<Prepared>> =
        (0..KEYS).map(|_| Prepared::make().map(Arc::new)).collect::<anyhow::Result<_>>()?;
    let (tls, tasks, counters) = (anybody()?, Tasks::default(), Arc::new(Counters::default()));
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut ticks = tokio::time::interval(Duration::from_secs(60) / arguments.per_minute.max(1));
    // What the machine had no time for is made up for: the rate is what was asked for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut prepared = prepared.iter().cycle();
    let mut number = 0_u64;
    while began.elapsed() < Duration::from_secs(arguments.seconds) {
        ticks.tick().await;
        number += 1;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            counters.held_back.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let prepared = Arc::clone(prepared.next().context("there are keys")?);
        let (server, tls, counters, kind) = (arguments.server, Arc::clone(&tls), Arc::clone(&counters), arguments.of);
        tasks.spawn(async move {
            counters.sent.fetch_add(1, Ordering::Relaxed);
            let once = async {
                match kind {
                    Kind::Enrollments => enroll(server, tls, &prepared, number % 3).await,
                    Kind::SignIns => sign_ins::try_once(server, number).await,
                }
            };
            let tried = tokio::time::timeout(PATIENCE, once).await;
            let count = match tried.unwrap_or(Ended::Closed) {
                Ended::Answered => &counters.answered,
                Ended::PutOff => &counters.put_off,
                Ended::Closed => &counters.closed,
            };
            count.fetch_add(1, Ordering::Relaxed);
            drop(place);
        });
    }
    let over_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // The last ones come to their ends, too.
    let _all_back = places.acquire_many(u32::try_from(UNDER_WAY_MAX)?).await?;
    tasks.stop().await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counts = Counts {
        sent: count(&counters.sent),
        over_ms,
        answered: count(&counters.answered),
        put_off: count(&counters.put_off),
        closed: count(&counters.closed),
        held_back: count(&counters.held_back),
    };
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&counts)?)?;
    Ok(())
}

impl Prepared {
    fn make() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("no key could be made")?;
        let request = CertificateParams::default().serialize_request(&key)?.der().to_vec();
        Ok(Self { key, request })
    }

    fn proof(&self, nonce: &[u8]) -> anyhow::Result<Vec<u8>> {
        let key_hash = digest(&SHA256, &self.key.subject_public_key_info());
        Ok(self.key.sign(&[SIGNATURE_DOMAIN, nonce, key_hash.as_ref()].concat())?)
    }
}

async fn enroll(server: SocketAddr, tls: Arc<ClientConfig>, prepared: &Prepared, kind: u64) -> Ended {
    let tasks = Tasks::default();
    let ended = dialogue(server, tls, prepared, kind, &tasks).await;
    tasks.stop().await;
    ended.unwrap_or_else(|error| match error.downcast_ref::<tonic::Status>() {
        Some(status) if status.message().starts_with("enrollment.busy") => Ended::PutOff,
        Some(_) | None => Ended::Closed,
    })
}

async fn dialogue(
    server: SocketAddr,
    tls: Arc<ClientConfig>,
    prepared: &Prepared,
    kind: u64,
    tasks: &Tasks,
) -> anyhow::Result<Ended> {
    let sender = connection::http2(connection::secure(HOME, server, tls).await?, tasks).await?;
    let (certificate_request, join_token) = match kind {
        0 => (vec![0x30; 300], String::new()),
        1 => (prepared.request.clone(), format!("kjt1.{}.{}", "x".repeat(32), "0".repeat(64))),
        _ => (prepared.request.clone(), String::new()),
    };
    // Begin and Proof are all that is sent.
    let (requests, outbound) = mpsc::channel(2);
    let begin = Request::Begin(Begin { certificate_request, join_token, facts: None });
    requests.send(EnrollRequest { step: Some(begin) }).await?;
    let path = "/kaliun.enrollment.v1.EnrollmentService/Enroll";
    let mut inbound = rpc::stream(sender, path, ReceiverStream::new(outbound)).await?;
    loop {
        let response: EnrollResponse = rpc::next(&mut inbound).await?;
        match response.step {
            Some(Response::Challenge(challenge)) => {
                let proof = Request::Proof(Proof {
                    signature: prepared.proof(&challenge.nonce)?,
                    // Of bytes that nobody asks for: no code is entered.
                    check_commitment: challenge.nonce.clone(),
                });
                requests.send(EnrollRequest { step: Some(proof) }).await?;
            }
            Some(Response::Pending(_)) => {
                tokio::time::sleep(WAIT).await;
                return Ok(Ended::Answered);
            }
            Some(Response::Refused(_) | Response::Issued(_)) | None => return Ok(Ended::Answered),
        }
    }
}
