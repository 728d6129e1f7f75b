//! What the rest of the server sees of a session.

use crate::listen::ConnectionHandle;
use futures_util::task::AtomicWaker;
use kaliun_proto::link::v1::{Acknowledged, Heartbeat, ItemClass, ServerMessage, server_message::Message};
use kaliun_store::{EventWrite, FactsWrite, SampleWrite, SessionOpen};
use kaliun_types::id::{DeviceId, OrganizationId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// Most messages that wait for a device to read. Acknowledgements come one a batch and a device has at most
/// `ingest::CREDIT_BYTES` of each class under way; one that lets this many wait does not read.
const OUTBOX_MAX: usize = 64;

/// A device that is behind the authorities is told again after this long, and at most about an hour later.
const TELL_AGAIN_MS: u64 = 30_000;
/// Whoever asked in vain is asked to ask again no more often than this.
const ASK_AGAIN_MS: u64 = 30_000;

/// A session.
pub(crate) struct SessionHandle {
    pub(crate) device: DeviceId,
    pub(crate) organization: OrganizationId,
    pub(crate) epoch: SessionEpoch,
    pub(crate) connection: ConnectionHandle,
    pub(crate) certificate_expires_at: SystemTime,
    /// Number of the authority that signed the certificate that the device showed.
    pub(crate) authority: i32,
    /// Milliseconds since the process began: when something was heard and said last.
    heard_at: AtomicU64,
    said_at: AtomicU64,
    /// Whether the session stands in the ingest queue.
    pub(crate) queued: AtomicBool,
    /// Whether an item of it can never be stored. Then nothing behind that item may be stored either.
    pub(crate) poisoned: AtomicBool,
    /// Whether its next item is stored by itself, after a batch that it was in failed.
    pub(crate) alone: AtomicBool,
    /// Most bytes of each class that are taken in and not acknowledged.
    credit_bytes: u32,
    inner: Mutex<Inner>,
    waker: AtomicWaker,
}

/// Smaller than one empty channel.
#[derive(Default)]
struct Inner {
    outbox: VecDeque<Box<ServerMessage>>,
    closing: Option<ReasonCode>,
    pending: VecDeque<Pending>,
    /// The newest facts that are not stored yet. State: older ones are of no use.
    facts: Option<Box<FactsWrite>>,
    /// Bytes that were taken in and not acknowledged, by class.
    event_bytes: u32,
    sample_bytes: u32,
    trust: Trust,
    /// The device asked for a certificate that it did not get, and which it may have.
    is_to_ask_again: bool,
    /// When it was asked to ask again, by `uptime_ms`.
    asked_again_at_ms: u64,
}

/// The trust bundle that a device holds, and what it was told of the authorities.
#[derive(Clone, Copy, Default)]
struct Trust {
    /// The version that it said last.
    held: i64,
    /// The version that the database has of it.
    noted: i64,
    /// The revision of the authorities that it was told of, how often, and when last by `uptime_ms`.
    told_revision: i64,
    told_times: u32,
    told_at_ms: u64,
}

impl Trust {
    fn is_to_be_told(&mut self, revision: i64, now_ms: u64) -> bool {
        if self.told_revision != revision {
            self.told_revision = revision;
            self.told_times = 0;
        } else if now_ms.saturating_sub(self.told_at_ms) < TELL_AGAIN_MS << self.told_times.saturating_sub(1).min(7) {
            return false;
        }
        self.told_times = self.told_times.saturating_add(1);
        self.told_at_ms = now_ms;
        true
    }
}

impl Inner {
    fn bytes_of(&mut self, item_class: ItemClass) -> Option<&mut u32> {
        match item_class {
            ItemClass::Events => Some(&mut self.event_bytes),
            ItemClass::Samples => Some(&mut self.sample_bytes),
            ItemClass::Unspecified => None,
        }
    }
}

/// What a session begins with beside what the device said.
pub(crate) struct SessionBegin {
    pub(crate) connection: ConnectionHandle,
    pub(crate) certificate_expires_at: SystemTime,
    /// What it may send of each class before something is acknowledged, bytes.
    pub(crate) credit_bytes: u32,
    /// Whose the device is.
    pub(crate) organization: OrganizationId,
}

/// Something that a device sent and that waits to be stored.
pub(crate) enum Pending {
    Facts(Box<FactsWrite>),
    Events(Box<EventWrite>, u32),
    /// With the bytes that it took on the wire, which come back as credit.
    Samples(Box<SampleWrite>, u32),
}

/// What a session shall do next.
pub(crate) enum Next {
    Send(Box<ServerMessage>),
    Close(ReasonCode),
    Wait,
}

impl SessionHandle {
    pub(crate) fn new(open: &SessionOpen, epoch: SessionEpoch, begin: SessionBegin) -> Arc<Self> {
        let SessionBegin { connection, certificate_expires_at, credit_bytes, organization } = begin;
        let now = uptime_ms();
        let trust = Trust { held: open.trust_version, noted: open.trust_version, ..Trust::default() };
        Arc::new(Self {
            device: open.device,
            organization,
            epoch,
            connection,
            certificate_expires_at,
            authority: open.shown_authority,
            heard_at: AtomicU64::new(now),
            said_at: AtomicU64::new(now),
            queued: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            alone: AtomicBool::new(false),
            credit_bytes,
            inner: Mutex::new(Inner { trust, ..Inner::default() }),
            waker: AtomicWaker::new(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a message to the device. One that does not read is disconnected.
    pub(crate) fn send(&self, message: Message) {
        {
            let mut inner = self.inner();
            if inner.outbox.len() >= OUTBOX_MAX {
                inner.closing.get_or_insert(ReasonCode::LinkSlow);
            } else {
                inner.outbox.push_back(Box::new(ServerMessage { message: Some(message) }));
            }
        }
        self.waker.wake();
    }

    /// Says that items are stored, and gives credit for more.
    pub(crate) fn acknowledge(&self, item_class: ItemClass, spool_id: Vec<u8>, sequence: i64, credit_bytes: u32) {
        if let Some(bytes) = self.inner().bytes_of(item_class) {
            *bytes = bytes.saturating_sub(credit_bytes);
        }
        self.send(Message::Acknowledged(Acknowledged {
            item_class: item_class.into(),
            spool_id,
            sequence: sequence.unsigned_abs(),
            credit_bytes,
        }));
    }

    /// For the stream: takes credit for a batch. Answers false when the device sends more than it was given.
    pub(crate) fn spend(&self, item_class: ItemClass, spent: u32) -> bool {
        let mut inner = self.inner();
        let Some(bytes) = inner.bytes_of(item_class) else { return false };
        *bytes = bytes.saturating_add(spent);
        *bytes <= self.credit_bytes
    }

    /// The device says which trust bundle it holds. Answers whether the database does not have that yet.
    pub(crate) fn holds(&self, version: i64) -> bool {
        let trust = &mut self.inner().trust;
        trust.held = version;
        trust.noted != version
    }

    /// The version that the device holds and the database does not have of it.
    pub(crate) fn trust_to_note(&self) -> Option<i64> {
        let trust = self.inner().trust;
        (trust.held != trust.noted).then_some(trust.held)
    }

    /// The database has a version of this device.
    pub(crate) fn trust_noted(&self, version: i64) {
        self.inner().trust.noted = version;
    }

    /// The version that the device holds.
    pub(crate) fn trust_version(&self) -> i64 {
        self.inner().trust.held
    }

    /// Whether the device is to be told of a revision of the authorities: at once when it is new, then after `TELL_AGAIN_MS` and each time after
    /// twice as long, for some devices cannot follow, and what is told may get lost.
    pub(crate) fn is_to_be_told(&self, revision: i64) -> bool {
        self.inner().trust.is_to_be_told(revision, uptime_ms())
    }

    /// The device asked for a certificate and did not get it, by no fault of its own.
    pub(crate) fn not_renewed(&self) {
        self.inner().is_to_ask_again = true;
    }

    /// Whether the device is to be asked now to ask once more for what it did not get: once for each time, and no more often than each
    /// `ASK_AGAIN_MS`.
    pub(crate) fn take_not_renewed(&self) -> bool {
        let mut inner = self.inner();
        let now_ms = uptime_ms();
        let is_soon = inner.asked_again_at_ms > 0 && now_ms.saturating_sub(inner.asked_again_at_ms) < ASK_AGAIN_MS;
        if !inner.is_to_ask_again || is_soon {
            return false;
        }
        (inner.is_to_ask_again, inner.asked_again_at_ms) = (false, now_ms);
        true
    }

    /// Sends a sign of life.
    pub(crate) fn beat(&self, now_ms: i64) {
        self.send(Message::Heartbeat(Heartbeat { now_ms }));
    }

    /// Ends the session. The first reason counts. What waits to be said is said before, unless the device may not connect any more.
    pub(crate) fn close(&self, reason: ReasonCode) {
        let mut inner = self.inner();
        inner.closing.get_or_insert(reason);
        if is_final(reason) {
            inner.outbox = VecDeque::new();
        }
        drop(inner);
        self.waker.wake();
    }

    /// Why the session is being ended, if it is.
    pub(crate) fn closing(&self) -> Option<ReasonCode> {
        self.inner().closing
    }

    /// For the stream: what to do next. `waker` is called when there is more.
    pub(crate) fn next(&self, waker: &std::task::Waker) -> Next {
        self.waker.register(waker);
        let mut inner = self.inner();
        if let Some(message) = inner.outbox.pop_front() {
            self.said_at.store(uptime_ms(), Ordering::Relaxed);
            // An idle session keeps no buffer.
            if inner.outbox.is_empty() {
                inner.outbox = VecDeque::new();
            }
            return Next::Send(message);
        }
        match inner.closing {
            Some(reason) => Next::Close(reason),
            None => Next::Wait,
        }
    }

    /// For the stream: something came in.
    pub(crate) fn heard(&self) {
        self.heard_at.store(uptime_ms(), Ordering::Relaxed);
    }

    /// Milliseconds since something was heard.
    pub(crate) fn silent_ms(&self) -> u64 {
        uptime_ms().saturating_sub(self.heard_at.load(Ordering::Relaxed))
    }

    /// Milliseconds since something was said.
    pub(crate) fn quiet_ms(&self) -> u64 {
        uptime_ms().saturating_sub(self.said_at.load(Ordering::Relaxed))
    }

    /// For the stream: puts something where ingest takes it. Items are bounded by the credit that the device has, and of facts only
    /// the newest stay.
    pub(crate) fn push_pending(&self, pending: Pending) {
        let mut inner = self.inner();
        match pending {
            Pending::Facts(facts) => inner.facts = Some(facts),
            item @ (Pending::Events(..) | Pending::Samples(..)) => inner.pending.push_back(item),
        }
    }

    /// For ingest: takes the oldest.
    pub(crate) fn pop_pending(&self) -> Option<Pending> {
        let mut inner = self.inner();
        if let Some(facts) = inner.facts.take() {
            return Some(Pending::Facts(facts));
        }
        let popped = inner.pending.pop_front();
        if inner.pending.is_empty() {
            inner.pending = VecDeque::new();
        }
        popped
    }

    /// For ingest: puts one back that could not be stored.
    pub(crate) fn unpop_pending(&self, pending: Pending) {
        let mut inner = self.inner();
        match pending {
            // Newer ones may have come meanwhile.
            Pending::Facts(facts) => {
                inner.facts.get_or_insert(facts);
            }
            item @ (Pending::Events(..) | Pending::Samples(..)) => inner.pending.push_front(item),
        }
    }

    /// Whether something waits to be stored.
    pub(crate) fn has_pending(&self) -> bool {
        let inner = self.inner();
        inner.facts.is_some() || !inner.pending.is_empty()
    }
}

/// Whether a session's end is the end of its box's right to connect, too.
fn is_final(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::PeerDeviceRevoked
            | ReasonCode::PeerDeviceDecommissioned
            | ReasonCode::PeerDeviceDeleted
            | ReasonCode::PeerIdentityWipe
            | ReasonCode::PeerBootNotKept
    )
}

/// Milliseconds since the process began, by a clock that nobody sets.
pub(crate) fn uptime_ms() -> u64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Copies the bytes of a message's field; a hash or an id of another length is a breach of protocol.
pub(crate) fn exact<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_behind_is_told_again_and_less_and_less() {
        let mut trust = Trust::default();
        assert!(trust.is_to_be_told(7, 1_000));
        let told: Vec<u64> = (1..40_000_u64).filter(|second| trust.is_to_be_told(7, 1_000 + second * 1_000)).collect();
        assert_eq!(told[..5], [30, 90, 210, 450, 930]);
        assert_eq!(told[told.len() - 1] - told[told.len() - 2], 3_840, "about once an hour in the end");
        // Something new is told at once, and then again after the short time.
        assert!(trust.is_to_be_told(8, 41_000_000));
        assert!(!trust.is_to_be_told(8, 41_029_999));
        assert!(trust.is_to_be_told(8, 41_030_000));
    }
}
