//! One session as a stream of messages to the device. Reading from the device happens while the stream is polled, so a
//! session needs no task and no channel of its own.

use crate::authority::CheckedRequest;
use crate::grpc::convert::link::{InvalidItem, events_from_proto, facts_from_proto, samples_from_proto};
use crate::grpc::link::codec::Frame;
use crate::grpc::status;
use crate::metrics::Metrics;
use crate::sessions::allowance::Allowance;
use crate::sessions::handle::{Next, Pending, SessionHandle, uptime_ms};
use crate::sessions::ingest::Ingest;
use crate::sessions::opener::Opener;
use crate::sessions::registry::Registry;
use crate::sessions::renewals::Renewals;
use futures_util::Stream;
use kaliun_domain::device::{SessionStart, SpoolMark};
use kaliun_proto::link::v1::{EventBatch, ItemClass, SampleBatch, ServerMessage, device_message::Message};
use kaliun_types::reason::{ReasonCode, is_code};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::{Code, Status, Streaming};

/// Most messages taken in before other streams of this thread get their turn.
const MESSAGES_PER_POLL: usize = 16;

/// Longest signing request that is looked at, bytes, as the contract says.
const CERTIFICATE_REQUEST_MAX_BYTES: usize = 4 * 1024;

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) opener: Opener,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) renewals: Renewals,
    pub(crate) metrics: Arc<Metrics>,
}

/// The stream of one session.
pub(crate) struct SessionStream {
    session: Arc<SessionHandle>,
    inbound: Streaming<Frame>,
    shared: Arc<Shared>,
    /// Where each class must go on: the spool's id and the next sequence.
    samples: Position,
    events: Position,
    /// For what costs no credit.
    allowance: Allowance,
    ended: Option<ReasonCode>,
}

/// How far a class has come in this session.
#[derive(Default)]
struct Position {
    spool_id: Option<[u8; 16]>,
    next: i64,
}

impl SessionStream {
    pub(crate) fn new(
        session: Arc<SessionHandle>,
        inbound: Streaming<Frame>,
        shared: Arc<Shared>,
        start: &SessionStart,
    ) -> Self {
        shared.metrics.sessions.inc();
        shared.metrics.sessions_opened.inc();
        Self {
            session,
            inbound,
            shared,
            samples: Position::after(start.samples.as_ref()),
            events: Position::after(start.events.as_ref()),
            allowance: Allowance::new(uptime_ms()),
            ended: None,
        }
    }

    /// Takes in one message.
    fn take(&mut self, frame: Frame) -> Result<(), ReasonCode> {
        self.session.heard();
        let costs_credit = matches!(frame.message.message, Some(Message::SampleBatch(_) | Message::EventBatch(_)));
        if !costs_credit && !self.allowance.take(uptime_ms()) {
            return Err(ReasonCode::LinkProtocolError);
        }
        match frame.message.message {
            Some(Message::Heartbeat(_)) => Ok(()),
            Some(Message::SampleBatch(batch)) => self.take_samples(batch, frame.bytes),
            Some(Message::EventBatch(batch)) => self.take_events(batch, frame.bytes),
            Some(Message::FactsReport(report)) => {
                let write = facts_from_proto(report, self.session.device, self.session.epoch).map_err(breach)?;
                self.shared.ingest.submit(&self.session, Pending::Facts(Box::new(write)));
                Ok(())
            }
            Some(Message::SettingsApplied(applied)) => {
                if let Some(failure) = applied.failure.filter(|failure| is_code(&failure.code)) {
                    tracing::info!(device.id = %self.session.device, code = failure.code, "device could not apply its settings");
                }
                Ok(())
            }
            Some(Message::CertificateRequest(request)) => {
                let request =
                    Some(request.certificate_request).filter(|der| der.len() <= CERTIFICATE_REQUEST_MAX_BYTES);
                let request =
                    request.and_then(|der| CheckedRequest::parse(&der)).ok_or(ReasonCode::LinkProtocolError)?;
                self.shared.renewals.renew(&self.session, request);
                Ok(())
            }
            Some(Message::TrustHeld(held)) => {
                let version = i64::try_from(held.version).map_err(|_too_large| ReasonCode::LinkProtocolError)?;
                self.shared.renewals.trust_held(&self.session, version);
                Ok(())
            }
            Some(Message::Hello(_)) => Err(ReasonCode::LinkProtocolError),
            // A newer agent may say something that this server does not know.
            None => Ok(()),
        }
    }

    fn take_samples(&mut self, batch: SampleBatch, bytes: u32) -> Result<(), ReasonCode> {
        let write = samples_from_proto(batch, self.session.device, self.session.epoch).map_err(breach)?;
        self.samples.advance(&write.spool_id, write.first_sequence, write.items.len())?;
        self.spend(ItemClass::Samples, bytes)?;
        self.shared.ingest.submit(&self.session, Pending::Samples(Box::new(write), bytes));
        Ok(())
    }

    fn take_events(&mut self, batch: EventBatch, bytes: u32) -> Result<(), ReasonCode> {
        let write = events_from_proto(batch, self.session.device, self.session.epoch).map_err(breach)?;
        self.events.advance(&write.spool_id, write.first_sequence, write.items.len())?;
        self.spend(ItemClass::Events, bytes)?;
        self.shared.ingest.submit(&self.session, Pending::Events(Box::new(write), bytes));
        Ok(())
    }

    fn spend(&self, item_class: ItemClass, bytes: u32) -> Result<(), ReasonCode> {
        if self.session.spend(item_class, bytes) { Ok(()) } else { Err(ReasonCode::LinkProtocolError) }
    }

    fn end(&mut self, reason: ReasonCode) {
        self.ended.get_or_insert(reason);
    }
}

/// Why the stream from the device broke: a status without a source is one that decoding made.
fn breakage(error: &Status) -> ReasonCode {
    let undecodable = matches!(error.code(), Code::Internal | Code::OutOfRange | Code::InvalidArgument)
        && std::error::Error::source(error).is_none();
    if undecodable { ReasonCode::LinkProtocolError } else { ReasonCode::LinkLost }
}

fn breach(invalid: InvalidItem) -> ReasonCode {
    tracing::debug!(problem = %invalid, "device broke the protocol");
    ReasonCode::LinkProtocolError
}

impl Position {
    /// Where the box was told to go on.
    fn after(mark: Option<&SpoolMark>) -> Self {
        mark.map_or_else(Self::default, |mark| Self {
            spool_id: crate::sessions::handle::exact(&mark.spool_id),
            next: mark.sequence.saturating_add(1),
        })
    }

    /// Batches of a spool come in order without overlap; gaps are what the box dropped.
    fn advance(&mut self, spool_id: &[u8], first: i64, count: usize) -> Result<(), ReasonCode> {
        let same_spool = self.spool_id.as_ref().is_some_and(|id| id == spool_id);
        if same_spool && first < self.next {
            return Err(ReasonCode::LinkProtocolError);
        }
        self.spool_id = crate::sessions::handle::exact(spool_id);
        self.next = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(())
    }
}

impl Stream for SessionStream {
    type Item = Result<ServerMessage, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended.is_some() {
            return Poll::Ready(None);
        }
        // Registers the waker before the inbound is read, so that nothing that happens meanwhile is missed.
        match this.session.next(context.waker()) {
            Next::Send(message) => return Poll::Ready(Some(Ok(*message))),
            Next::Close(reason) => {
                this.end(reason);
                return Poll::Ready(Some(Err(status::refusal(reason))));
            }
            Next::Wait => {}
        }
        for _ in 0..MESSAGES_PER_POLL {
            match Pin::new(&mut this.inbound).poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(reason) = this.take(message) {
                        this.end(reason);
                        return Poll::Ready(Some(Err(status::refusal(reason))));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let reason = breakage(&error);
                    tracing::debug!(device.id = %this.session.device, error = &error as &dyn std::error::Error, "device stream broke");
                    this.end(reason);
                    return Poll::Ready(Some(Err(status::refusal(reason))));
                }
                Poll::Ready(None) => {
                    this.end(ReasonCode::LinkClosed);
                    return Poll::Ready(None);
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        let session = &self.session;
        let reason = self.ended.or(session.closing()).unwrap_or(ReasonCode::LinkLost);
        self.shared.registry.remove(session);
        self.shared.ingest.forget(session);
        self.shared.opener.close(session.device, session.epoch, reason);
        self.shared.metrics.sessions.dec();
        self.shared.metrics.sessions_closed.get_or_create(&[("reason", reason.code())]).inc();
        tracing::info!(device.id = %session.device, session.epoch = %session.epoch, reason = reason.code(), "session ended");
    }
}
