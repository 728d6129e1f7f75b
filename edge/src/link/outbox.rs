//! What the box sends next: control first, then events, then samples. Decides, does not send.
//!
//! Control is level-triggered and held as "is due", so that it can never pile up, and goes no faster than its pace: the newest
//! word replaces one that waits. Durable items stay in their spool and are
//! only pointed at: how far they were sent in this session, and how many bytes the server still takes.

use super::credit::Credit;
use super::pace::Pace;
use super::state::Failure;
use crate::journal::{Class, Journal};
use crate::spool::{Batch, SpoolError, SpoolId};
use kaliun_proto::link::v1::device_message::Message as Outgoing;
use kaliun_proto::link::v1::{
    Acknowledged, CertificateRequest, DeviceEvent, DeviceMessage, EventBatch, FactsReport, Heartbeat, SampleBatch,
    SettingsApplied, TrustHeld, Welcome,
};
use kaliun_proto::telemetry::v1::Sample;
use kaliun_types::limits::LINK_MESSAGE_MAX_BYTES;
use prost::Message;
use std::time::Duration;
use tokio::time::Instant;

/// Facts that changed are told this often at most; one that flaps with each sample is told as it is then.
const FACTS_INTERVAL: Duration = Duration::from_secs(10);

/// What a batch and the message around it add to its items, bytes: spool id, first sequence, tags and lengths.
const BATCH_OVERHEAD_BYTES: usize = 64;

/// Highest sequence that a server may name: what a database's signed number holds.
const SEQUENCE_MAX: u64 = i64::MAX as u64;

/// What is due, and how far each class was sent in this session.
#[derive(Debug)]
pub struct Outbox {
    heartbeat_is_due: bool,
    settings_applied: Option<SettingsApplied>,
    certificate_request: Option<CertificateRequest>,
    trust_held: Option<TrustHeld>,
    /// Hash of the facts that the server has or was sent; `None` when it asked for them.
    facts_told: Option<[u8; 32]>,
    /// When facts that changed may be told.
    facts_from: Instant,
    /// Of settings and facts.
    pace: Pace,
    events: Lane,
    samples: Lane,
}

#[derive(Debug)]
struct Lane {
    spool_id: SpoolId,
    /// Everything up to here was sent in this session or is stored.
    sent: u64,
    credit: Credit,
}

impl Outbox {
    /// Begins a session by what Welcome says.
    ///
    /// # Errors
    /// Welcome names a sequence that cannot be, or the disk fails.
    pub fn begin(
        journal: &Journal,
        welcome: &Welcome,
        facts_in_hello: [u8; 32],
        now: Instant,
    ) -> Result<Self, Failure> {
        Ok(Self {
            heartbeat_is_due: false,
            settings_applied: None,
            certificate_request: None,
            trust_held: None,
            facts_told: (!welcome.send_facts).then_some(facts_in_hello),
            facts_from: now,
            pace: Pace::begin(now),
            events: Lane::begin(journal, Class::Events, &welcome.stored)?,
            samples: Lane::begin(journal, Class::Samples, &welcome.stored)?,
        })
    }

    /// A heartbeat is due.
    pub fn want_heartbeat(&mut self) {
        self.heartbeat_is_due = true;
    }

    /// Whether a heartbeat waits to be sent.
    #[must_use]
    pub fn has_heartbeat(&self) -> bool {
        self.heartbeat_is_due
    }

    /// The server asked for the facts.
    pub fn want_facts(&mut self) {
        self.facts_told = None;
    }

    /// The server is to be told which settings are in force. Replaces an answer that was not sent yet: the newest counts.
    pub fn want_settings_applied(&mut self, applied: SettingsApplied) {
        self.settings_applied = Some(applied);
    }

    /// The server is to be asked for the next certificate.
    pub fn want_certificate(&mut self, certificate_request: Vec<u8>) {
        self.certificate_request = Some(CertificateRequest { certificate_request });
    }

    /// The server is to be told which trust bundle is held.
    pub fn want_trust_held(&mut self, version: u64) {
        self.trust_held = Some(TrustHeld { version });
    }

    /// Takes an acknowledgement.
    ///
    /// # Errors
    /// It names something that was never sent, or the disk fails.
    pub fn acknowledge(&mut self, journal: &Journal, acknowledged: &Acknowledged) -> Result<Option<Class>, Failure> {
        // A class of a newer version is not ours to judge.
        let Some(class) = Class::from_wire(acknowledged.item_class) else {
            return Ok(None);
        };
        let lane = self.lane(class);
        lane.credit.grant(acknowledged.credit_bytes);
        if acknowledged.spool_id != lane.spool_id {
            return Ok(None);
        }
        if acknowledged.sequence > lane.sent {
            return Err(Failure::BrokenProtocol { message: "it acknowledged what was never sent" });
        }
        journal.acknowledge(class, acknowledged.sequence).map_err(disk)?;
        Ok(Some(class))
    }

    /// When something may go that is held back now. `None` when nothing is.
    #[must_use]
    pub fn held_until(&self, journal: &Journal, now: Instant) -> Option<Instant> {
        let is_due = self.settings_applied.is_some() || self.certificate_request.is_some() || self.trust_held.is_some();
        let due_from = is_due.then_some(now);
        let from = due_from.into_iter().chain(self.facts_due_from(journal, now)).min()?;
        Some(from.max(now + self.pace.wait(now)))
    }

    /// When the facts are to be told. `None` when the server has them.
    fn facts_due_from(&self, journal: &Journal, now: Instant) -> Option<Instant> {
        match self.facts_told {
            None => Some(now),
            Some(told) => (told != journal.facts_hash()).then_some(self.facts_from),
        }
    }

    /// The message to send next, and takes it out. `None` when nothing is due or the server takes no more.
    ///
    /// # Errors
    /// The disk fails.
    pub fn next(&mut self, journal: &Journal, now_ms: i64, now: Instant) -> Result<Option<DeviceMessage>, Failure> {
        if std::mem::take(&mut self.heartbeat_is_due) {
            return Ok(Some(control(Outgoing::Heartbeat(Heartbeat { now_ms }))));
        }
        if self.pace.wait(now).is_zero()
            && let Some(message) = self.next_paced(journal, now)
        {
            self.pace.count(now);
            return Ok(Some(message));
        }
        for class in Class::ALL {
            let lane = self.lane(class);
            if let Some(message) = lane.next(journal, class).map_err(disk)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn next_paced(&mut self, journal: &Journal, now: Instant) -> Option<DeviceMessage> {
        if let Some(applied) = self.settings_applied.take() {
            return Some(control(Outgoing::SettingsApplied(applied)));
        }
        if let Some(held) = self.trust_held.take() {
            return Some(control(Outgoing::TrustHeld(held)));
        }
        if let Some(request) = self.certificate_request.take() {
            return Some(control(Outgoing::CertificateRequest(request)));
        }
        if self.facts_due_from(journal, now).is_none_or(|from| from > now) {
            return None;
        }
        let held = journal.facts();
        self.facts_told = Some(held.hash);
        self.facts_from = now + FACTS_INTERVAL;
        let hash = held.hash.to_vec();
        Some(control(Outgoing::FactsReport(FactsReport { facts: Some(held.facts), hash })))
    }

    fn lane(&mut self, class: Class) -> &mut Lane {
        match class {
            Class::Events => &mut self.events,
            Class::Samples => &mut self.samples,
        }
    }
}

impl Lane {
    fn begin(journal: &Journal, class: Class, stored: &[Acknowledged]) -> Result<Self, Failure> {
        let spool_id = journal.position(class).spool_id;
        let entry = stored.iter().find(|entry| Class::from_wire(entry.item_class) == Some(class));
        if let Some(entry) = entry.filter(|entry| entry.spool_id == spool_id) {
            if entry.sequence > SEQUENCE_MAX {
                return Err(Failure::BrokenProtocol { message: "it stored a sequence that cannot be" });
            }
            journal.acknowledge(class, entry.sequence).map_err(disk)?;
        }
        let credit = Credit::begin(entry.map(|entry| entry.credit_bytes));
        // The spool may have begun a new life just now.
        let position = journal.position(class);
        Ok(Self { spool_id: position.spool_id, sent: position.acknowledged, credit })
    }

    fn next(&mut self, journal: &Journal, class: Class) -> Result<Option<DeviceMessage>, SpoolError> {
        let budget = self.credit.available().min(LINK_MESSAGE_MAX_BYTES).saturating_sub(BATCH_OVERHEAD_BYTES);
        let Some(batch) = journal.read_after(class, self.sent, budget)? else {
            return Ok(None);
        };
        let first_sequence = batch.first_sequence;
        let whole = batch.payloads.len();
        self.sent = batch.last_sequence();
        let spool_id = self.spool_id.to_vec();
        let (message, readable) = match class {
            Class::Events => {
                let events: Vec<DeviceEvent> = decode(&batch);
                let readable = events.len();
                (Outgoing::EventBatch(EventBatch { spool_id, first_sequence, events }), readable)
            }
            Class::Samples => {
                let samples: Vec<Sample> = decode(&batch);
                let readable = samples.len();
                (Outgoing::SampleBatch(SampleBatch { spool_id, first_sequence, samples }), readable)
            }
        };
        if readable < whole {
            // Written by this program with a checksum, so this is a downgrade across formats: said and counted.
            tracing::error!(first_sequence, readable, whole, "spooled items cannot be understood and are passed over");
            self.sent = first_sequence + readable as u64;
            journal.count_dropped(class, 1);
        }
        if readable == 0 {
            return Ok(None);
        }
        let message = DeviceMessage { message: Some(message) };
        self.credit.spend(message.encoded_len());
        Ok(Some(message))
    }
}

fn control(message: Outgoing) -> DeviceMessage {
    DeviceMessage { message: Some(message) }
}

/// The items up to the first that cannot be understood.
fn decode<M: Message + Default>(batch: &Batch) -> Vec<M> {
    batch.payloads.iter().map_while(|payload| M::decode(payload.as_slice()).ok()).collect()
}

fn disk(error: SpoolError) -> Failure {
    Failure::Disk { message: super::transport::with_sources(&error) }
}

#[cfg(test)]
mod tests;
