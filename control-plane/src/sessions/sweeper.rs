//! Keeps the sessions alive and ends those that are not: one task for all of them, once a second, and one that asks the database.

use crate::clock::{self, Clock};
use crate::sessions::handle::SessionHandle;
use crate::sessions::registry::Registry;
use crate::tasks::Tasks;
use crate::wakeups::cut_soon;
use kaliun_store::SystemStore;
use kaliun_types::id::{DeviceId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often all sessions are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How often the database is asked which sessions are still the newest: bounds how long a session on another replica goes
/// unnoticed when the box is silent. What it writes is fenced at once.
const FENCE_PERIOD: Duration = Duration::from_secs(10);
/// How often the database is asked which devices may not connect any more since a short while, for when a wake-up was lost: until then
/// what they say is stored.
const ENDED_PERIOD: Duration = Duration::from_secs(2);
/// Sessions in one such question.
const FENCE_BATCH: usize = 1000;
/// Seconds that a session which is told to end has for it, before its connection is cut.
const END_GRACE_TICKS: u8 = 3;

/// How long silence may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Milliseconds of silence on our side before a heartbeat.
    pub(crate) heartbeat_interval_ms: u32,
    /// Milliseconds of silence on the other side before the session ends.
    pub(crate) idle_timeout_ms: u32,
}

impl Patience {
    /// Three heartbeats may be lost.
    pub(crate) fn new(heartbeat_interval_ms: u32) -> Self {
        Self { heartbeat_interval_ms, idle_timeout_ms: heartbeat_interval_ms.saturating_mul(3) }
    }
}

/// Starts both tasks. The one that keeps the sessions alive never waits for the database.
pub(crate) fn start(tasks: &Tasks, registry: Arc<Registry>, store: SystemStore, patience: Patience, clock: Clock) {
    let fenced = Arc::clone(&registry);
    let mut sweeper = Sweeper { registry, patience, clock, ending: HashMap::new() };
    let mut ticks = ticks(PERIOD);
    let stopping = tasks.stopping();
    tasks.spawn("session-sweeper", async move {
        loop {
            tokio::select! {
                _ = ticks.tick() => sweeper.sweep(),
                () = stopping.cancelled() => return,
            }
        }
    });
    let mut ticks = self::ticks(ENDED_PERIOD);
    let (stopping, asked, held, small) = (tasks.stopping(), store.clone(), Arc::clone(&fenced), tasks.clone());
    tasks.spawn("session-ends", async move {
        let ask = async {
            loop {
                ticks.tick().await;
                ask_ended(&small, &asked, &held).await;
            }
        };
        stopping.run_until_cancelled(ask).await;
    });
    let mut ticks = self::ticks(FENCE_PERIOD);
    let stopping = tasks.stopping();
    tasks.spawn("session-fence", async move {
        let ask = async {
            loop {
                ticks.tick().await;
                ask_fence(&store, &fenced.all()).await;
            }
        };
        // Whatever the database is doing: a stop does not wait for its answer.
        stopping.run_until_cancelled(ask).await;
    });
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

struct Sweeper {
    registry: Arc<Registry>,
    patience: Patience,
    clock: Clock,
    /// Sessions that were told to end, and for how many ticks they have not.
    ending: HashMap<(DeviceId, SessionEpoch), u8>,
}

impl Sweeper {
    fn sweep(&mut self) {
        let sessions = self.registry.all();
        let now = self.clock.now();
        let mut still_ending = HashMap::new();
        sessions.iter().for_each(|session| self.look_at(session, now));
        for session in sessions.iter().chain(&self.registry.leaving()) {
            if session.closing().is_some() {
                let ticks = self.ending.get(&(session.device, session.epoch)).copied().unwrap_or(0).saturating_add(1);
                if ticks > END_GRACE_TICKS {
                    // It does not read its own end.
                    session.connection.cut();
                } else {
                    still_ending.insert((session.device, session.epoch), ticks);
                }
            }
        }
        self.ending = still_ending;
    }

    fn look_at(&self, session: &SessionHandle, now: SystemTime) {
        if session.silent_ms() > u64::from(self.patience.idle_timeout_ms) {
            session.close(ReasonCode::LinkTimeout);
        } else if now >= session.certificate_expires_at {
            session.close(ReasonCode::PeerExpired);
        } else if session.quiet_ms() + 500 >= u64::from(self.patience.heartbeat_interval_ms) {
            session.beat(clock::to_ms(now));
        }
    }
}

/// Ends sessions of devices that may not connect any more since a short while.
async fn ask_ended(tasks: &Tasks, store: &SystemStore, registry: &Registry) {
    match store.ended_lately().await {
        Ok(ended) => {
            for (device, reason) in ended.into_iter().filter(|(device, _reason)| registry.holds(*device)) {
                cut_soon(tasks, registry.end(device, reason));
            }
        }
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "ended devices could not be asked for");
        }
    }
}

/// Ends sessions that a newer one on another replica has replaced, or whose device may not connect any more.
async fn ask_fence(store: &SystemStore, sessions: &[Arc<SessionHandle>]) {
    for batch in sessions.chunks(FENCE_BATCH) {
        let held: Vec<_> = batch.iter().map(|session| (session.device, session.epoch)).collect();
        match store.sessions_fenced(&held).await {
            Ok(fenced) => {
                for (device, refusal) in fenced {
                    if let Some(session) = batch.iter().find(|session| session.device == device) {
                        session.close(refusal.unwrap_or(ReasonCode::LinkFenced));
                    }
                }
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "fenced sessions could not be asked for");
                return;
            }
        }
    }
}
