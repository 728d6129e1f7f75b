//! Keeps Postgres running.

use crate::cluster::ClusterState;
use crate::error::ClusterError;
use crate::home::Home;
use crate::lock::ClusterLock;
use crate::log::ServerLog;
use crate::postmaster::Postmaster;
use crate::process::end_leftovers;
use crate::programs::Programs;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// The wait before the second attempt to start; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Longest wait between attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Attempts before the first start is given up: about three seconds, for memory of an earlier Postgres to be released.
const START_ATTEMPTS: u32 = 6;

/// A Postgres that ran this long had started well, and the next wait is short again.
const SETTLED: Duration = Duration::from_secs(60);

/// How often the size of the log is looked at.
const LOG_LOOK: Duration = Duration::from_secs(60);

/// What it takes to start Postgres, and the right to do so.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) programs: Programs,
    pub(crate) home: Home,
    pub(crate) log: ServerLog,
    pub(crate) stop_patience: Duration,
    pub(crate) lock: ClusterLock,
}

impl Launch {
    /// Starts Postgres for the first time. What an earlier server left is ended before.
    pub(crate) async fn first(&self) -> Result<Postmaster, ClusterError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..START_ATTEMPTS {
            match self.attempt().await {
                Err(ClusterError::NotStarted { status, log }) => {
                    tracing::warn!(status, log, "Postgres did not start, trying again");
                }
                other => return other,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.attempt().await
    }

    async fn attempt(&self) -> Result<Postmaster, ClusterError> {
        end_leftovers(&self.home.data(), self.stop_patience).await?;
        Postmaster::start(&self.programs, &self.home, &self.log).await
    }
}

/// Watches Postgres until it is told to stop, and starts it again whenever it ends.
pub(crate) async fn supervise(
    launch: Launch,
    mut postmaster: Postmaster,
    state: watch::Sender<ClusterState>,
    stop: CancellationToken,
) {
    let mut restarts = 0;
    let mut wait = FIRST_WAIT;
    let mut started_at = Instant::now();
    let mut log_look = tokio::time::interval(LOG_LOOK);
    log_look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let status = tokio::select! {
            () = stop.cancelled() => break,
            status = postmaster.ended() => status,
            _ = log_look.tick() => {
                if let Err(error) = launch.log.bound() {
                    tracing::warn!(%error, "the log of Postgres could not be cut");
                }
                continue;
            }
        };
        let reason = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::error!(reason, "Postgres ended and is started again");
        restarts += 1;
        state.send_replace(ClusterState::Restarting { restarts, reason });
        if started_at.elapsed() >= SETTLED {
            wait = FIRST_WAIT;
        }
        let restarted = tokio::select! {
            () = stop.cancelled() => None,
            restarted = restart(&launch, &mut wait) => Some(restarted),
        };
        let Some(restarted) = restarted else {
            // What had been started was asked to shut down when it was dropped; wait until it has.
            if let Err(error) = end_leftovers(&launch.home.data(), launch.stop_patience).await {
                tracing::warn!(%error, "Postgres was left running");
            }
            state.send_replace(ClusterState::Stopped);
            return;
        };
        postmaster = restarted;
        started_at = Instant::now();
        tracing::info!(restarts, "Postgres is back");
        state.send_replace(ClusterState::Ready { restarts });
    }
    state.send_replace(ClusterState::Stopping);
    postmaster.stop(launch.stop_patience).await;
    state.send_replace(ClusterState::Stopped);
    drop(launch.lock);
}

async fn restart(launch: &Launch, wait: &mut Duration) -> Postmaster {
    loop {
        match launch.attempt().await {
            Ok(postmaster) => return postmaster,
            Err(error) => tracing::error!(%error, "Postgres could not be started again"),
        }
        tokio::time::sleep(*wait).await;
        *wait = (*wait * 2).min(LONGEST_WAIT);
    }
}
