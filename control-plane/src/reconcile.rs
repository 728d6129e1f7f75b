//! Work that is due again and again. Each activation is idempotent, does a bounded amount, and may run on several replicas at
//! once.

mod certificates;
mod mails;
mod rotation;

use crate::audit::checkpoint_file;
use crate::audit::retention::{self, Retention};
use crate::audit::sealer::{self, News, Sealer};
use crate::authority::Authority;
use crate::authority::audit_key::AuditKey;
use crate::changes::Changes;
use crate::clock;
use crate::ended_devices::{self, JournalKeeping, Keeper};
use crate::grpc::enrollment::{REFUSALS_PERIOD, Refusals, Waiting};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use kaliun_store::{StoreError, SystemStore};
use kaliun_types::id::ReplicaId;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// How often a replica says that it lives, and how long it may be silent before its sessions are over.
const HEARTBEAT: Duration = Duration::from_secs(5);
pub(crate) const LEASE: Duration = Duration::from_secs(20);
/// Most orphaned sessions ended at once.
const REAP_BATCH: i64 = 1_000;
/// Partitions are made this many hours ahead, and looked after this often.
const PARTITIONS_AHEAD: u32 = 3;
const PARTITIONS_PERIOD: Duration = Duration::from_secs(600);
/// Samples are kept this long: what a query may reach back, and an hour for the partition.
const SAMPLES_KEPT: Duration = Duration::from_secs(49 * 3600);
/// Events are kept this long, of every organization alike: a season, so that what comes back every few weeks is seen to come back.
const EVENTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Most events deleted in one run, and how often. That is 7 million a day, 700 for each of 10,000 boxes, by statements of tens of
/// milliseconds.
const EVENTS_BATCH: i64 = 5_000;
const EVENTS_PERIOD: Duration = Duration::from_secs(60);
/// What people and machines leave behind that waited to be let in, or are no longer in, is forgotten this often: more than limits let come.
const ACCOUNTS_PERIOD: Duration = Duration::from_secs(60);
const ACCOUNTS_BATCH: i64 = 2_000;
/// Waiting boxes that gave up are forgotten this often, so many at a time and so often: 6,600 a second, more than there can be new ones,
/// for each of those is a handshake and a transaction.
const ENROLLMENT_PERIOD: Duration = Duration::from_secs(30);
const ENROLLMENT_BATCH: i64 = 1_000;
const ENROLLMENT_BATCHES: usize = 200;
/// Counts of refused enrolments are forgotten this often, so many at a time: more than a flood from everywhere adds.
const REFUSALS_RETENTION_PERIOD: Duration = Duration::from_secs(60);
const REFUSALS_BATCH: i64 = 5_000;
/// Devices that came back unknown are forgotten so long after their certificate ran out: they cannot come by it any more.
const RETURNED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Decisions on waiting boxes that nobody told of are looked for this often.
const DECISION_PERIOD: Duration = Duration::from_secs(2);
/// The history of certificates goes back so far, two years; and how much is deleted in one run.
const CERTIFICATES_KEPT: Duration = Duration::from_secs(2 * 365 * 24 * 3600);
const CERTIFICATES_BATCH: i64 = 1_000;
/// When certificates run out is looked at this often; they live for 30 days.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(60);

/// Whether a rotation that goes by itself can go on is looked at this often. Its phases last a minute at least; while it waits, each look
/// counts the devices, some 50 ms for 100,000.
const ROTATION_PERIOD: Duration = Duration::from_secs(5);
/// The outbox of mails is looked after this often.
const MAILS_PERIOD: Duration = Duration::from_secs(10);

/// Runs something now and then every period, until the process stops.
fn every<F>(tasks: &Tasks, name: &'static str, period: Duration, mut activate: impl FnMut() -> F + Send + 'static)
where
    F: Future<Output = Result<(), StoreError>> + Send,
{
    let stopping = tasks.stopping();
    tasks.spawn(name, async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stopping.cancelled() => return,
            }
            if let Err(error) = activate().await {
                tracing::warn!(task = name, error = &error as &dyn std::error::Error, "task failed; it runs again");
            }
        }
    });
}

/// Adds this process, and ends what its predecessor of the same name and other dead processes left behind.
pub(crate) async fn take_over(
    store: &SystemStore,
    replica: ReplicaId,
    name: &str,
    changes: &Changes,
) -> Result<(), StoreError> {
    store.replica_insert(replica, name).await?;
    store.sample_partitions_prepare(clock::now(), PARTITIONS_AHEAD).await?;
    while reap(store, changes).await? > 0 {}
    Ok(())
}

async fn reap(store: &SystemStore, changes: &Changes) -> Result<usize, StoreError> {
    let ended = store.sessions_reap(LEASE, REAP_BATCH).await?;
    for (organization, device) in &ended {
        changes.tell(*organization, *device);
    }
    Ok(ended.len())
}

/// Starts what goes by the clock of certificates: the rotation of the authorities, for when it shall go by itself, and the look at when
/// certificates run out.
pub(crate) fn start_certificates(tasks: &Tasks, authority: &Authority, store: &SystemStore, metrics: &Arc<Metrics>) {
    let (rotated, told) = (authority.clone(), Arc::new(AtomicI64::new(0)));
    every(tasks, "rotation", ROTATION_PERIOD, move || {
        let (authority, told) = (rotated.clone(), Arc::clone(&told));
        async move { rotation::look(&authority, &told).await }
    });
    let looked_at = (authority.clone(), store.clone(), Arc::clone(metrics));
    every(tasks, "certificate-expiry", CERTIFICATE_PERIOD, move || {
        let (authority, store, metrics) = looked_at.clone();
        async move {
            let now = authority.now();
            certificates::look(&store, &metrics, now).await?;
            store.certificate_delete_ended(now - CERTIFICATES_KEPT, CERTIFICATES_BATCH).await.map(|_count| ())
        }
    });
}

/// Starts all else.
pub(crate) fn start(
    tasks: &Tasks,
    store: &SystemStore,
    replica: ReplicaId,
    replica_name: &str,
    changes: &Changes,
    waiting: Waiting,
) {
    let lease = (store.clone(), changes.clone(), replica_name.to_owned());
    every(tasks, "replica-lease", HEARTBEAT, move || {
        let (store, changes, name) = lease.clone();
        async move {
            if !store.replica_heartbeat(replica).await? {
                tracing::warn!(
                    replica.name = name,
                    "this process was given up by the others, or another one has the same name; give each its own replica_name"
                );
                store.replica_insert(replica, &name).await?;
            }
            reap(&store, &changes).await.map(|_count| ())
        }
    });
    let partitions = store.clone();
    every(tasks, "sample-partitions", PARTITIONS_PERIOD, move || {
        let store = partitions.clone();
        async move {
            let now = clock::now();
            store.sample_partitions_prepare(now, PARTITIONS_AHEAD).await?;
            let dropped = store.sample_partitions_drop(now - SAMPLES_KEPT).await?;
            if dropped > 0 {
                tracing::info!(dropped, "old sample partitions dropped");
            }
            Ok(())
        }
    });
    let events = store.clone();
    every(tasks, "event-retention", EVENTS_PERIOD, move || {
        let store = events.clone();
        async move {
            let deleted = store.event_delete_before(clock::now() - EVENTS_KEPT, EVENTS_BATCH).await?;
            if deleted > 0 {
                tracing::debug!(deleted, "old events deleted");
            }
            Ok(())
        }
    });
    let enrollments = store.clone();
    every(tasks, "enrollment-expiry", ENROLLMENT_PERIOD, move || {
        let store = enrollments.clone();
        async move {
            for _ in 0..ENROLLMENT_BATCHES {
                if store.enrollment_delete_expired(ENROLLMENT_BATCH).await? < ENROLLMENT_BATCH.unsigned_abs() {
                    break;
                }
            }
            Ok(())
        }
    });
    let decisions = store.clone();
    every(tasks, "enrollment-decisions", DECISION_PERIOD, move || {
        let (store, waiting) = (decisions.clone(), waiting.clone());
        async move { waiting.look(&store).await }
    });
}

/// Writes now and then what was counted of refused enrolments, and forgets what is old.
pub(crate) fn count_refusals(tasks: &Tasks, store: &SystemStore, refusals: Refusals) {
    let writing = store.clone();
    every(tasks, "enrollment-refusals", REFUSALS_PERIOD, move || {
        let (store, refusals) = (writing.clone(), refusals.clone());
        async move { refusals.write(&store).await }
    });
    let forgetting = store.clone();
    every(tasks, "enrollment-refusals-retention", REFUSALS_RETENTION_PERIOD, move || {
        let store = forgetting.clone();
        async move {
            store.enrollment_refusals_delete_old(REFUSALS_BATCH).await?;
            store.returned_delete_expired(clock::now() - RETURNED_KEPT, REFUSALS_BATCH).await.map(|_count| ())
        }
    });
}

/// Forgets sessions that are over, and people and machines that waited too long to be let in.
pub(crate) fn forget_of_accounts(tasks: &Tasks, store: &SystemStore) {
    let store = store.clone();
    every(tasks, "account-expiry", ACCOUNTS_PERIOD, move || {
        let store = store.clone();
        async move {
            store.session_delete_ended(ACCOUNTS_BATCH).await?;
            store.sign_up_delete_expired(ACCOUNTS_BATCH).await?;
            store.sign_in_attempt_delete_expired(ACCOUNTS_BATCH).await?;
            store.login_delete_expired(ACCOUNTS_BATCH).await.map(|_count| ())
        }
    });
}

/// Looks after the outbox of mails. Sending is another task's work.
pub(crate) fn keep_mails(tasks: &Tasks, store: &SystemStore, metrics: &Arc<Metrics>) {
    let kept = (store.clone(), Arc::clone(metrics));
    every(tasks, "mail-retention", MAILS_PERIOD, move || {
        let (store, metrics) = kept.clone();
        async move { mails::look(&store, &metrics, clock::now()).await }
    });
}

/// Keeps the journal of devices that may not connect any more, beside the database. Answers how that goes.
pub(crate) fn keep_journal(
    tasks: &Tasks,
    store: &SystemStore,
    state_dir: &Path,
    metrics: &Arc<Metrics>,
) -> Arc<JournalKeeping> {
    let keeping = Arc::new(JournalKeeping::default());
    let keeper = Arc::new(tokio::sync::Mutex::new(Keeper::new(state_dir)));
    let (store, metrics, kept) = (store.clone(), Arc::clone(metrics), Arc::clone(&keeping));
    every(tasks, "ended-devices-journal", ended_devices::PERIOD, move || {
        let (store, metrics, keeper, keeping) =
            (store.clone(), Arc::clone(&metrics), Arc::clone(&keeper), Arc::clone(&kept));
        async move {
            // Nobody else has it: an activation ends before the next one begins.
            let followed = keeper.lock().await.follow(&store).await;
            if followed.is_ok() {
                metrics.ended_devices_journal.set(clock::to_ms(clock::now()) / 1_000);
            }
            keeping.note(followed, clock::now())
        }
    });
    keeping
}

/// Seals the audit, keeps its checkpoints beside the database, and forgets what is old of it.
pub(crate) fn seal_audit(
    tasks: &Tasks,
    store: &SystemStore,
    replica: ReplicaId,
    key: &Arc<AuditKey>,
    sealed: &News,
    state_dir: &Path,
) {
    let sealer = Arc::new(Sealer { store: store.clone(), replica, key: Arc::clone(key), news: sealed.clone() });
    every(tasks, "audit-sealer", sealer::PERIOD, move || {
        let sealer = Arc::clone(&sealer);
        async move { sealer.activate().await }
    });
    let keeper = Arc::new(tokio::sync::Mutex::new(checkpoint_file::Keeper::new(state_dir)));
    let kept = store.clone();
    every(tasks, "audit-checkpoint-file", checkpoint_file::PERIOD, move || {
        let (keeper, store) = (Arc::clone(&keeper), kept.clone());
        // Nobody else has it: an activation ends before the next one begins.
        async move { keeper.lock().await.activate(&store).await }
    });
    let retention = Arc::new(Retention { store: store.clone(), key: Arc::clone(key) });
    every(tasks, "audit-retention", retention::PERIOD, move || {
        let retention = Arc::clone(&retention);
        async move { retention.activate(clock::now()).await }
    });
}
