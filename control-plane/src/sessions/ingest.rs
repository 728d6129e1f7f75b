//! Stores what devices send, fairly: each session has its own short queue, bounded by its credit, and they take turns.
//!
//! Nothing is dropped here. Credit comes back only with what was stored: when the database is slow the queues grow to their
//! credit and no further, and the boxes keep the rest in their spools.

use crate::changes::Changes;
use crate::metrics::Metrics;
use crate::sessions::handle::{Pending, SessionHandle};
use crate::tasks::Tasks;
use kaliun_proto::link::v1::ItemClass;
use kaliun_store::{EventWrite, FactsWrite, SampleWrite, StoreError, Stored, SystemStore};
use kaliun_types::reason::ReasonCode;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Credit of a session for each class, bytes: two of the largest messages, so that one is under way while the other is stored.
/// It comes back with the acknowledgement, so a box sends no faster than the database stores.
pub(crate) const CREDIT_BYTES: u32 = 64 * 1024;
/// Most sessions in one statement.
const BATCH_MAX: usize = 256;
/// Statements under way at once: one is written while the other's commit waits for the disk.
const WORKERS: usize = 2;
/// A statement that fails is tried again after this long.
const RETRY: Duration = Duration::from_millis(500);

/// Where sessions stand in line.
pub(crate) struct Ingest {
    line: Mutex<VecDeque<Arc<SessionHandle>>>,
    arrived: Notify,
    store: SystemStore,
    changes: Changes,
    metrics: Arc<Metrics>,
}

impl Ingest {
    /// Starts the workers.
    pub(crate) fn start(tasks: &Tasks, store: SystemStore, changes: Changes, metrics: Arc<Metrics>) -> Arc<Self> {
        let ingest =
            Arc::new(Self { line: Mutex::new(VecDeque::new()), arrived: Notify::new(), store, changes, metrics });
        for _ in 0..WORKERS {
            let worker = Arc::clone(&ingest);
            let stopping = tasks.stopping();
            tasks.spawn("ingest", async move { worker.run(stopping).await });
        }
        ingest
    }

    /// Takes something from a session that waits to be stored.
    pub(crate) fn submit(&self, session: &Arc<SessionHandle>, pending: Pending) {
        self.count(i64::from(bytes_of(&pending)));
        session.push_pending(pending);
        self.stand_in_line(session);
    }

    fn stand_in_line(&self, session: &Arc<SessionHandle>) {
        if !session.queued.swap(true, Ordering::AcqRel) {
            self.line.lock().unwrap_or_else(PoisonError::into_inner).push_back(Arc::clone(session));
            self.arrived.notify_one();
        }
    }

    fn count(&self, bytes: i64) {
        self.metrics.ingest_waiting_bytes.inc_by(bytes);
    }

    async fn run(&self, stopping: CancellationToken) {
        loop {
            let turn: Vec<Arc<SessionHandle>> = {
                let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
                next_turn(&mut line)
            };
            if turn.is_empty() {
                tokio::select! {
                    () = self.arrived.notified() => continue,
                    () = stopping.cancelled() => return,
                }
            }
            // Others may be waiting while this worker works.
            self.arrived.notify_one();
            self.take_turn(turn).await;
        }
    }

    /// Stores one item of each session, class by class.
    async fn take_turn(&self, turn: Vec<Arc<SessionHandle>>) {
        let mut facts: Vec<(Arc<SessionHandle>, Box<FactsWrite>)> = Vec::new();
        let mut events: Vec<(Arc<SessionHandle>, Box<EventWrite>, u32)> = Vec::new();
        let mut samples: Vec<(Arc<SessionHandle>, Box<SampleWrite>, u32)> = Vec::new();
        for session in turn.iter().filter(|session| !session.poisoned.load(Ordering::Acquire)) {
            match session.pop_pending() {
                Some(Pending::Facts(write)) => facts.push((Arc::clone(session), write)),
                Some(Pending::Events(write, bytes)) => events.push((Arc::clone(session), write, bytes)),
                Some(Pending::Samples(write, bytes)) => samples.push((Arc::clone(session), write, bytes)),
                None => {}
            }
        }
        let mut failed = false;
        if !facts.is_empty() {
            failed |= self.store_facts(facts).await;
        }
        if !events.is_empty() {
            failed |= self.store_events(events).await;
        }
        if !samples.is_empty() {
            failed |= self.store_samples(samples).await;
        }
        if failed {
            tokio::time::sleep(RETRY).await;
        }
        for session in turn {
            session.queued.store(false, Ordering::Release);
            if session.has_pending() && !session.poisoned.load(Ordering::Acquire) {
                self.stand_in_line(&session);
            }
        }
    }

    async fn store_facts(&self, batch: Vec<(Arc<SessionHandle>, Box<FactsWrite>)>) -> bool {
        let writes: Vec<FactsWrite> = batch.iter().map(|(_, write)| (**write).clone()).collect();
        match self.store.facts_store(&writes).await {
            Ok(answers) => {
                for ((session, _write), answer) in batch.into_iter().zip(answers) {
                    self.settle(&session, answer);
                }
                false
            }
            Err(error) => {
                let items = batch.into_iter().map(|(session, write)| (session, Pending::Facts(write))).collect();
                self.put_back(&error, items)
            }
        }
    }

    async fn store_events(&self, batch: Vec<(Arc<SessionHandle>, Box<EventWrite>, u32)>) -> bool {
        let writes: Vec<EventWrite> = batch.iter().map(|(_, write, _)| (**write).clone()).collect();
        match self.store.events_store(&writes).await {
            Ok(answers) => {
                for ((session, write, bytes), answer) in batch.into_iter().zip(answers) {
                    self.count(-i64::from(bytes));
                    if self.settle(&session, answer) {
                        let last = last_sequence(write.first_sequence, write.items.len());
                        session.acknowledge(ItemClass::Events, write.spool_id, last, bytes);
                    }
                }
                false
            }
            Err(error) => {
                let items =
                    batch.into_iter().map(|(session, write, bytes)| (session, Pending::Events(write, bytes))).collect();
                self.put_back(&error, items)
            }
        }
    }

    async fn store_samples(&self, batch: Vec<(Arc<SessionHandle>, Box<SampleWrite>, u32)>) -> bool {
        let writes: Vec<SampleWrite> = batch.iter().map(|(_, write, _)| (**write).clone()).collect();
        match self.store.samples_store(&writes).await {
            Ok(answers) => {
                for ((session, write, bytes), answer) in batch.into_iter().zip(answers) {
                    self.count(-i64::from(bytes));
                    if self.settle(&session, answer) {
                        if matches!(answer, Stored::Yes(_)) {
                            self.metrics.samples_stored.inc_by(u64::try_from(write.items.len()).unwrap_or(0));
                        }
                        let last = last_sequence(write.first_sequence, write.items.len());
                        session.acknowledge(ItemClass::Samples, write.spool_id, last, bytes);
                    }
                }
                false
            }
            Err(error) => {
                let items = batch
                    .into_iter()
                    .map(|(session, write, bytes)| (session, Pending::Samples(write, bytes)))
                    .collect();
                self.put_back(&error, items)
            }
        }
    }

    /// Keeps items that could not be stored for another try. Answers whether to pause before it.
    ///
    /// An error that time does not heal lies in an item. One bad item must not hold up the others: they are tried one by one
    /// from then on, and a session whose item fails alone is ended.
    fn put_back(&self, error: &StoreError, items: Vec<(Arc<SessionHandle>, Pending)>) -> bool {
        if error.is_transient() {
            tracing::warn!(error = error as &dyn std::error::Error, "items could not be stored yet");
        } else {
            tracing::error!(error = error as &dyn std::error::Error, items = items.len(), "items could not be stored");
            if let [(session, pending)] = items.as_slice() {
                // What is behind it is not stored any more: that would acknowledge it too.
                session.poisoned.store(true, Ordering::Release);
                session.close(ReasonCode::LinkProtocolError);
                self.count(-i64::from(bytes_of(pending)));
                return true;
            }
            items.iter().for_each(|(session, _)| session.alone.store(true, Ordering::Relaxed));
        }
        items.into_iter().for_each(|(session, pending)| session.unpop_pending(pending));
        true
    }

    /// Answers whether the session may go on.
    fn settle(&self, session: &SessionHandle, answer: Stored) -> bool {
        match answer {
            Stored::Yes(organization) => {
                self.changes.tell(organization, session.device);
                true
            }
            Stored::Before => true,
            Stored::Fenced => {
                session.close(ReasonCode::LinkFenced);
                false
            }
        }
    }

    /// Forgets what a session left behind: nobody will acknowledge it, and the box still has it.
    pub(crate) fn forget(&self, session: &SessionHandle) {
        while let Some(pending) = session.pop_pending() {
            self.count(-i64::from(bytes_of(&pending)));
        }
    }
}

/// Takes those from the head of the line whose turn is next: many together, or one that is to be alone.
fn next_turn(line: &mut VecDeque<Arc<SessionHandle>>) -> Vec<Arc<SessionHandle>> {
    let is_together = |session: &&Arc<SessionHandle>| !session.alone.load(Ordering::Relaxed);
    let together = line.iter().take(BATCH_MAX).take_while(is_together).count();
    if together > 0 {
        return line.drain(..together).collect();
    }
    let first = line.pop_front();
    if let Some(session) = &first {
        session.alone.store(false, Ordering::Relaxed);
    }
    first.into_iter().collect()
}

fn bytes_of(pending: &Pending) -> u32 {
    match pending {
        Pending::Facts(_) => 0,
        Pending::Events(_, bytes) | Pending::Samples(_, bytes) => *bytes,
    }
}

fn last_sequence(first: i64, count: usize) -> i64 {
    first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)) - 1
}
