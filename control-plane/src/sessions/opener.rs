//! Begins and ends sessions in the database, many in one statement: a fleet that comes back together is the normal case.

use crate::changes::Changes;
use crate::tasks::Tasks;
use kaliun_store::{SessionEnd, SessionOpen, SessionOpened, SystemStore};
use kaliun_types::id::{DeviceId, OrganizationId, ReplicaId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Most that wait to begin. At 1,000 a second that is 4 s, less than a box waits for its welcome.
const OPENS_MAX: usize = 4096;
/// Most in one statement: more would not be faster and would hold locks longer.
const BATCH_MAX: usize = 256;
/// A statement that fails is tried again after this long.
const RETRY: Duration = Duration::from_millis(500);

/// The door to the opener's task.
#[derive(Clone)]
pub(crate) struct Opener {
    opens: mpsc::Sender<Open>,
    ends: Arc<Ends>,
}

/// Sessions that are over and not yet noted: one for each device at most.
#[derive(Default)]
pub(crate) struct Ends {
    waiting: Mutex<HashMap<DeviceId, SessionEnd>>,
    added: Notify,
}

impl Ends {
    fn add(&self, end: SessionEnd) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two ends of one device the newer session's counts: only that can still be the newest in the database.
        if waiting.get(&end.device).is_none_or(|older| older.epoch <= end.epoch) {
            waiting.insert(end.device, end);
        }
        drop(waiting);
        self.added.notify_one();
    }

    fn take(&self) -> Vec<SessionEnd> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let devices: Vec<DeviceId> = waiting.keys().take(BATCH_MAX).copied().collect();
        devices.iter().filter_map(|device| waiting.remove(device)).collect()
    }
}

struct Open {
    request: SessionOpen,
    answer: oneshot::Sender<Answer>,
}

/// What a hello led to. A session that began and that nobody takes over ends again: the box may go away at any moment.
pub(crate) struct Answer {
    opened: SessionOpened,
    unclaimed: Option<(DeviceId, SessionEpoch)>,
    ends: Arc<Ends>,
}

impl Answer {
    /// Takes the answer over; from here on the caller ends the session.
    pub(crate) fn claim(mut self) -> SessionOpened {
        self.unclaimed = None;
        // A copy, for a type with a destructor cannot be taken apart.
        self.opened.clone()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some((device, epoch)) = self.unclaimed {
            self.ends.add(SessionEnd { device, epoch, reason: ReasonCode::LinkLost });
        }
    }
}

impl Opener {
    /// Starts the task.
    pub(crate) fn start(tasks: &Tasks, store: SystemStore, replica: ReplicaId, changes: Changes) -> Self {
        let (opens, open_requests) = mpsc::channel(OPENS_MAX);
        let ends = Arc::new(Ends::default());
        let worker = Worker { store, replica, changes, ends: Arc::clone(&ends) };
        tasks.spawn("session-opener", worker.run(open_requests, tasks.stopping()));
        Self { opens, ends }
    }

    /// Begins a session. `None` when too many wait or the database does not answer: the box shall come back.
    pub(crate) async fn open(&self, request: SessionOpen) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.opens.try_send(Open { request, answer }).ok()?;
        answered.await.ok()
    }

    /// Notes that a session is over.
    pub(crate) fn close(&self, device: DeviceId, epoch: SessionEpoch, reason: ReasonCode) {
        self.ends.add(SessionEnd { device, epoch, reason });
    }
}

struct Worker {
    store: SystemStore,
    replica: ReplicaId,
    changes: Changes,
    ends: Arc<Ends>,
}

impl Worker {
    async fn run(self, mut opens: mpsc::Receiver<Open>, stopping: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            if batch.is_empty() {
                tokio::select! {
                    () = self.ends.added.notified() => {}
                    count = opens.recv_many(&mut batch, BATCH_MAX) => {
                        if count == 0 {
                            return;
                        }
                    }
                    // The server has drained all sessions before it stops its tasks.
                    () = stopping.cancelled() => {
                        self.close_all().await;
                        return;
                    }
                }
            }
            self.close_all().await;
            if !batch.is_empty() {
                batch = self.open_all(batch).await;
                // One device that opens again and again does not make the others wait for it.
                while batch.len() < BATCH_MAX
                    && let Ok(open) = opens.try_recv()
                {
                    batch.push(open);
                }
            }
        }
    }

    /// Begins all that somebody still waits for; a second one of the same device is given back for the next round.
    async fn open_all(&self, mut batch: Vec<Open>) -> Vec<Open> {
        // A box that gave up went elsewhere, and its session there must not end because of a hello that was late.
        batch.retain(|open| !open.answer.is_closed());
        let mut seen = HashSet::with_capacity(batch.len());
        let (now, later): (Vec<Open>, Vec<Open>) = batch.into_iter().partition(|open| seen.insert(open.request.device));
        let requests: Vec<SessionOpen> = now.iter().map(|open| open.request.clone()).collect();
        match self.store.sessions_open(self.replica, &requests).await {
            Ok(answers) => now.into_iter().zip(answers).for_each(|(open, opened)| self.answer(open, opened)),
            // Dropping the senders tells the boxes to come back.
            Err(error) if error.is_transient() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sessions could not be opened");
            }
            // Time does not heal it, so it lies in one of them: each by itself, and only that one has to come back.
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "sessions could not be opened together");
                for open in now {
                    match self.store.sessions_open(self.replica, std::slice::from_ref(&open.request)).await {
                        Ok(mut answers) => {
                            if let Some(opened) = answers.pop() {
                                self.answer(open, opened);
                            }
                        }
                        Err(error) => {
                            let error = &error as &dyn std::error::Error;
                            tracing::error!(device.id = %open.request.device, error, "session could not be opened");
                        }
                    }
                }
            }
        }
        later
    }

    fn answer(&self, open: Open, opened: SessionOpened) {
        let mut unclaimed = None;
        if let SessionOpened::Started(organization, start) = &opened {
            self.changes.tell(*organization, open.request.device);
            unclaimed = Some((open.request.device, start.epoch));
        }
        // When the box went away meanwhile, the answer's end is the session's.
        let _box_gone = open.answer.send(Answer { opened, unclaimed, ends: Arc::clone(&self.ends) });
    }

    fn tell(&self, ended: Vec<(OrganizationId, DeviceId)>) {
        ended.into_iter().for_each(|(organization, device)| self.changes.tell(organization, device));
    }

    /// Notes all ends. None is lost while the process lives: the statement is tried until it succeeds.
    async fn close_all(&self) {
        loop {
            let batch = self.ends.take();
            if batch.is_empty() {
                return;
            }
            match self.store.sessions_close(&batch).await {
                Ok(ended) => self.tell(ended),
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "ended sessions could not be noted yet");
                    batch.into_iter().for_each(|end| self.ends.add(end));
                    tokio::time::sleep(RETRY).await;
                    return;
                }
                // Time does not heal it, so it lies in one of them: each by itself, and only that one is given up.
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "ended sessions could not be noted together"
                    );
                    for end in &batch {
                        match self.store.sessions_close(std::slice::from_ref(end)).await {
                            Ok(ended) => self.tell(ended),
                            Err(error) if error.is_transient() => self.ends.add(end.clone()),
                            Err(error) => {
                                let error = &error as &dyn std::error::Error;
                                tracing::error!(device.id = %end.device, error, "ended session could not be noted");
                            }
                        }
                    }
                }
            }
        }
    }
}
