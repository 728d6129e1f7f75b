//! The link's service. Written by hand in place of the generated one for one reason: buffers of 256 bytes in place of 8 kB in each
//! direction, for there are as many as there are boxes.

pub(crate) mod codec;

use super::status;
use crate::authority::Authority;
use crate::clock;
use crate::limiter::Limiter;
use crate::listen::PeerConnection;
use crate::listen::peer::Peer;
use crate::sessions::authorities::tell;
use crate::sessions::handle::{SessionBegin, SessionHandle};
use crate::sessions::ingest::CREDIT_BYTES;
use crate::sessions::stream::{SessionStream, Shared};
use crate::sessions::sweeper::Patience;
use codec::{Frame, LinkCodec};
use futures_util::future::BoxFuture;
use kaliun_domain::device::{SessionStart, SpoolMark};
use kaliun_proto::link::v1 as proto;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_store::{SessionOpen, SessionOpened};
use kaliun_types::id::DeviceId;
use kaliun_types::limits::{LINK_MESSAGE_MAX_BYTES, LINK_PROTOCOL};
use kaliun_types::reason::ReasonCode;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

/// Longest wait for a box's hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
/// Highest session that a box may remember: beyond that there would be no end of them.
const EPOCH_MAX: i64 = 1 << 62;
/// Longest wait for a session to begin; the box comes back after that.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// When a box shall come back that found no place.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Sessions that one box may open at once, and one more each interval: a line that breaks every few seconds does not need more, and
/// each is a row in its history.
const OPENS_BURST: u32 = 20;
const OPENS_INTERVAL: Duration = Duration::from_secs(10);
/// Boxes whose opens are counted at once: as many as there may be connections. One takes some 50 bytes.
const OPENS_MAX: usize = 250_000;

/// Opens links.
#[derive(Clone)]
pub(crate) struct Links {
    shared: Arc<Shared>,
    authority: Authority,
    patience: Patience,
    incarnation: i64,
    opens: Arc<Limiter<DeviceId>>,
}

impl NamedService for Links {
    const NAME: &'static str = "kaliun.link.v1.LinkService";
}

impl tower::Service<http::Request<tonic::body::Body>> for Links {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let links = self.clone();
        Box::pin(async move {
            if request.uri().path() != "/kaliun.link.v1.LinkService/OpenLink" {
                return Ok(Status::unimplemented("there is no such method").into_http());
            }
            let mut grpc = Grpc::new(LinkCodec)
                .max_decoding_message_size(LINK_MESSAGE_MAX_BYTES)
                .max_encoding_message_size(LINK_MESSAGE_MAX_BYTES);
            Ok(grpc.streaming(OpenLink(links), request).await)
        })
    }
}

struct OpenLink(Links);

impl StreamingService<Frame> for OpenLink {
    type Response = proto::ServerMessage;
    type ResponseStream = SessionStream;
    type Future = BoxFuture<'static, Result<Response<SessionStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        let links = self.0.clone();
        Box::pin(async move {
            let result = links.open(request).await;
            if let Err(status) = &result {
                let reason = status.message().split(':').next().and_then(ReasonCode::from_code);
                if let Some(reason) = reason {
                    links.shared.metrics.refuse(reason);
                }
                tracing::debug!(code = ?status.code(), reason = reason.map(ReasonCode::code), "link refused");
            }
            result
        })
    }
}

impl Links {
    pub(crate) fn new(shared: Arc<Shared>, authority: Authority, patience: Patience, incarnation: i64) -> Self {
        let opens = Arc::new(Limiter::for_many(OPENS_MAX, OPENS_BURST, OPENS_INTERVAL));
        Self { shared, authority, patience, incarnation, opens }
    }

    async fn open(&self, request: Request<Streaming<Frame>>) -> Result<Response<SessionStream>, Status> {
        let connection = request
            .extensions()
            .get::<PeerConnection>()
            .cloned()
            .ok_or_else(|| Status::internal("the connection is not known"))?;
        let (device, expires_at, authority, serial, of_certificate) = match connection.peer {
            Peer::Device { device, expires_at, authority, serial, organization } => {
                (device, expires_at, authority, serial, organization)
            }
            Peer::Stranger(reason) => return Err(status::refusal(reason)),
        };
        self.look_again(expires_at, authority)?;
        let mut inbound = request.into_inner();
        let hello = hear_hello(&mut inbound).await?;
        let open = SessionOpen {
            device,
            key_hash: connection.key_hash.ok_or_else(|| status::refusal(ReasonCode::PeerInvalid))?,
            source: connection.source.to_string(),
            boot_id: hello.boot_id.parse().map_err(|_| protocol_error())?,
            agent_version: hello.agent_version.clone(),
            trust_version: i64::try_from(hello.trust_bundle_version).map_err(|_| protocol_error())?,
            shown_authority: authority,
            certificate_serial: serial,
            certificate_expires_at: expires_at,
            certificate_organization: of_certificate,
            known_epoch: i64::try_from(hello.session_epoch)
                .ok()
                .filter(|epoch| *epoch <= EPOCH_MAX)
                .ok_or_else(protocol_error)?,
            known_incarnation: i64::try_from(hello.incarnation).map_err(|_| protocol_error())?,
        };
        let too_soon = |wait| status::refusal_retry_after(ReasonCode::LinkBusy, wait);
        self.opens.take(&device, Instant::now()).map_err(too_soon)?;
        let began = Instant::now();
        let answer = tokio::time::timeout(OPEN_TIMEOUT, self.shared.opener.open(open.clone())).await.ok().flatten();
        let answer = answer.ok_or_else(|| status::refusal_retry_after(ReasonCode::LinkBusy, RETRY_AFTER))?;
        // No await from here to the session's stream: whoever drops this future in between ends the session.
        let (organization, start) = match answer.claim() {
            SessionOpened::Started(organization, start) => (organization, start),
            SessionOpened::Refused(reason) => return Err(status::refusal(reason)),
        };
        let begin = SessionBegin {
            connection: connection.connection,
            certificate_expires_at: expires_at,
            credit_bytes: credit(&start),
            organization,
        };
        let session = SessionHandle::new(&open, start.epoch, begin);
        session.send(Message::Welcome(self.welcome(&hello, &start)));
        if let Some(settings) = settings(&hello, &start) {
            session.send(Message::Settings(settings));
        }
        // From here on the stream's end ends the session, whatever happens.
        let stream = SessionStream::new(Arc::clone(&session), inbound, Arc::clone(&self.shared), &start);
        let held = self.shared.registry.insert(Arc::clone(&session), began);
        held.map_err(not_held)?;
        // After it is held, so that a change of the authorities in between reaches it this way or the other.
        tell(&session, &self.authority.current());
        tracing::info!(device.id = %device, session.epoch = %start.epoch, agent.version = hello.agent_version, "session began");
        Ok(Response::new(stream))
    }

    /// Looks at a certificate once more: a connection may be older than what is believed now.
    fn look_again(&self, expires_at: SystemTime, authority: i32) -> Result<(), Status> {
        if expires_at <= self.authority.now() {
            return Err(status::refusal(ReasonCode::PeerExpired));
        }
        if !self.authority.current().trusts(authority) {
            return Err(status::refusal(ReasonCode::PeerUnknownIssuer));
        }
        Ok(())
    }

    fn welcome(&self, hello: &proto::Hello, start: &SessionStart) -> proto::Welcome {
        let stored = [(proto::ItemClass::Events, &start.events), (proto::ItemClass::Samples, &start.samples)]
            .into_iter()
            .filter_map(|(item_class, mark)| stored(hello, item_class, mark.as_ref(), credit(start)))
            .collect();
        proto::Welcome {
            protocol: LINK_PROTOCOL,
            session_epoch: start.epoch.0.unsigned_abs(),
            now_ms: clock::to_ms(self.authority.now()),
            incarnation: self.incarnation.unsigned_abs(),
            heartbeat_interval_ms: self.patience.heartbeat_interval_ms,
            idle_timeout_ms: self.patience.idle_timeout_ms,
            stored,
            send_facts: start.facts_hash.as_deref() != Some(hello.facts_hash.as_slice()),
        }
    }
}

/// How far a spool is stored; another life of it than the stored one is stored up to nothing.
fn stored(
    hello: &proto::Hello,
    item_class: proto::ItemClass,
    mark: Option<&SpoolMark>,
    credit_bytes: u32,
) -> Option<proto::Acknowledged> {
    let spool = hello.spools.iter().find(|spool| spool.item_class() == item_class)?;
    let sequence = mark.filter(|mark| mark.spool_id == spool.spool_id).map_or(0, |mark| mark.sequence.unsigned_abs());
    Some(proto::Acknowledged {
        item_class: item_class.into(),
        spool_id: spool.spool_id.clone(),
        sequence,
        credit_bytes,
    })
}

/// What a session may send of each class before something is acknowledged, bytes. Of a device whose identity two boxes use nothing is
/// stored, for nobody knows whose it is; what they recorded waits with them.
fn credit(start: &SessionStart) -> u32 {
    if start.parked { 0 } else { CREDIT_BYTES }
}

/// The settings, unless the box has them.
fn settings(hello: &proto::Hello, start: &SessionStart) -> Option<proto::Settings> {
    let settings = start.settings.as_ref()?;
    let hash = crate::digest::sha256(&settings.document);
    let generation = settings.generation.unsigned_abs();
    if hello.settings_generation == generation && hello.settings_hash == hash {
        return None;
    }
    Some(proto::Settings { generation, hash: hash.to_vec(), document: settings.document.clone() })
}

/// Why a session may not begin after all. Some boxes may come back soon.
#[expect(clippy::wildcard_enum_match_arm, reason = "any other reason was told by somebody and stays")]
fn not_held(reason: ReasonCode) -> Status {
    match reason {
        ReasonCode::LinkSuperseded | ReasonCode::LinkServerStopped | ReasonCode::LinkDecided => {
            status::refusal_retry_after(reason, RETRY_AFTER)
        }
        _ => status::refusal(reason),
    }
}

fn protocol_error() -> Status {
    status::refusal(ReasonCode::LinkProtocolError)
}

async fn hear_hello(inbound: &mut Streaming<Frame>) -> Result<proto::Hello, Status> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, inbound.message())
        .await
        .map_err(|_elapsed| status::refusal(ReasonCode::LinkTimeout))?
        .map_err(|_broken| protocol_error())?;
    let Some(proto::device_message::Message::Hello(hello)) = first.and_then(|first| first.message.message) else {
        return Err(protocol_error());
    };
    if hello.protocol < 1 {
        return Err(status::refusal(ReasonCode::LinkUnsupportedProtocol));
    }
    let fits = hello.agent_version.len() <= 64
        && hello.agent_version.bytes().all(|byte| byte.is_ascii_graphic())
        && hello.capabilities.len() <= 64
        && hello.capabilities.iter().all(|word| word.len() <= 32)
        && hello.spools.len() <= 8
        && hello.spools.iter().all(|spool| spool.spool_id.len() == 16)
        && hello.spools.iter().enumerate().all(|(place, spool)| {
            hello.spools.iter().skip(place + 1).all(|other| other.item_class != spool.item_class)
        })
        && [&hello.settings_hash, &hello.facts_hash].into_iter().all(|hash| hash.is_empty() || hash.len() == 32);
    if fits { Ok(*hello) } else { Err(protocol_error()) }
}

/// The hello in the bytes of a request's body. For fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) async fn first_hello(body: bytes::Bytes) -> Result<proto::Hello, Status> {
    hear_hello(&mut messages(body)).await
}

/// The messages in the bytes of a request's body, as a link reads them. For fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn messages(body: bytes::Bytes) -> Streaming<Frame> {
    use tonic::codec::Codec;
    Streaming::new_request(LinkCodec.decoder(), http_body_util::Full::new(body), None, Some(LINK_MESSAGE_MAX_BYTES))
}
